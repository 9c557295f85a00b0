"""A project in a folder whose secrets are canaries, and everything that it leaves behind."""

from __future__ import annotations

import base64
import binascii
import logging
import re
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import pyarrow.parquet as pq
import yaml

from platform_pipelines.cli.main import execute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

#: what every canary holds; nothing else does
CORE = "K4n4rY"
#: a secret that every parser cuts, quotes or escapes differently
NASTY = f"{CORE}-a1/@:'%ü \"{CORE}b2"
PLAIN = f"{CORE}s3cr3t9x"

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
#: what is written by hand, and where a refresh token that the server renewed is kept on purpose, for its owner alone
_OWN = re.compile(r"defs/.*\.yaml|.*/tokens/[0-9a-f]{32}\.json")
_PATH = re.compile(r"(?P<name>[^<\[]+)(<(?P<tag>\w+)>)?(?P<list>\[\])?")

_OAUTH = {"token_url": "http://127.0.0.1:1/token", "client_id": "me", "client_secret": "long-enough-1"}
#: a member of each union, complete but for what is placed into it
TAGGED: dict[str, dict[str, Any]] = {
    "bearer": {"type": "bearer", "token": "long-enough-2"},
    "api_key": {"type": "api_key", "value": "long-enough-3"},
    "basic": {"type": "basic", "username": "me"},
    "cookies": {"type": "cookies", "cookies": {"session": "long-enough-4"}},
    "oauth2_client_credentials": {"type": "oauth2_client_credentials", **_OAUTH},
    "oauth2_refresh_token": {"type": "oauth2_refresh_token", "refresh_token": "long-enough-5", **_OAUTH},
    "cursor": {"type": "cursor", "param": "after", "path": "next"},
    "next_link": {"type": "next_link", "path": "next"},
}


def place(config: dict[str, Any], path: str, value: str) -> dict[str, Any]:
    """The configuration with a value at the path of a field, and whatever is needed around it."""
    _put(config, path.split(".")[1:], value)
    return config


def _put(node: dict[str, Any], parts: list[str], value: str) -> None:
    match = _PATH.fullmatch(parts[0])
    assert match is not None
    key = next(iter(node), "x") if match["name"] == "*" else match["name"]
    if len(parts) == 1:
        node[key] = [value] if match["list"] else value
        return
    if match["tag"]:
        node[key] = {"type": match["tag"], **TAGGED.get(match["tag"], {})}
    _put(node.setdefault(key, {}), parts[1:], value)


class _Kept(logging.Handler):
    """Keeps every record as a formatter would write it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter("%(name)s %(message)s").format(record))


@dataclass
class Site:
    """The project, in the test's current folder."""

    root: Path
    capsys: pytest.CaptureFixture[str]
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.root / "defs").mkdir()
        (self.root / "workspace.yaml").write_text("", encoding="utf-8")

    def declare(self, connectors: Mapping[str, Any], pipeline: Mapping[str, Any]) -> None:
        """Write the project's two files."""
        for name, body in (("connectors", connectors), ("p", pipeline)):
            text = yaml.safe_dump(dict(body), allow_unicode=True, sort_keys=False)
            (self.root / f"defs/{name}.yaml").write_text(text, encoding="utf-8")

    def type(self, *words: str) -> int:
        """Run a command; what it prints and logs is kept."""
        kept, loggers = _Kept(), logging.getLogger()
        level = loggers.level
        loggers.addHandler(kept)
        loggers.setLevel(logging.DEBUG)
        self.capsys.readouterr()
        try:
            code = execute(words)
        finally:
            loggers.removeHandler(kept)
            loggers.setLevel(level)
        printed = self.capsys.readouterr()
        self.said += [f"$ {' '.join(words)}", printed.out, printed.err, *kept.lines]
        return code

    def everything(self) -> Iterator[tuple[str, str]]:
        """Every text that was printed, logged or written into a file of the project."""
        yield from (("output", text) for text in self.said)
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            yield "name of a file", name
            if path.is_file() and not _OWN.fullmatch(name):
                yield name, path.read_bytes().decode("utf-8", "replace")
                if path.suffix == ".parquet":
                    yield name, str(pq.read_table(path).to_pylist())

    def leaks(self) -> list[str]:
        """Where a canary shows."""
        return [f"{place_of}: {found}" for place_of, text in self.everything() if (found := leak(text)) is not None]


def leak(text: str, core: str = CORE) -> str | None:
    """Where a canary shows in a text, in whatever form; None where it does not."""
    for form in (text, unquote_plus(text)):
        if (start := form.find(core)) >= 0:
            return form[max(0, start - 200) : start + 100]
    for match in _BASE64.finditer(text):
        for skipped in range(4):
            if core.encode() in _decoded(match[0][skipped:].rstrip("=")):
                return text[max(0, match.start() - 200) : match.end() + 100]
    return None


def _decoded(text: str) -> bytes:
    whole = text.replace("-", "+").replace("_", "/")
    whole = whole[: len(whole) // 4 * 4]
    try:
        return base64.b64decode(whole)
    except binascii.Error:
        return b""


def shown(error: BaseException) -> str:
    """An exception as a notebook prints it, with everything that it is chained to."""
    return "".join(traceback.format_exception(error))
