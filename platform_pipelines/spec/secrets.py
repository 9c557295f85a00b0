"""Secret references: resolved only when a run needs them, masked wherever text leaves the process.

``${env://NAME}``, ``${env://NAME:-default}``, ``${file:///path}`` and
``${gsm://projects/P/secrets/S}`` may stand anywhere in a text. Every resolved
value is remembered for the life of the process, so that :func:`mask` can hide it
in messages, logs and metadata written by others.
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from platform_pipelines.errors import SecretError
from platform_pipelines.spec.secret_logs import guard
from platform_pipelines.spec.telling import PARTS

_REFERENCE = re.compile(r"\$\{(?P<scheme>[a-z]+)://(?P<body>[^}]*)\}")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<given>:-(?P<default>.*))?", re.DOTALL)
_PASSWORD = re.compile(r"://[^\s/@:]*:(?P<password>[^\s/]*)@")
#: in a URL whose password is not percent-encoded: up to the last ``@``, whatever stands before it
_UNENCODED = re.compile(r"\s*[A-Za-z][\w+.-]*://[^\s/@:]*:(?P<password>.+)@", re.DOTALL)
_PASSWORD_WORD = re.compile(
    r"\b(?:password|passwd|pwd|token|secret|sslpassword)\s*=\s*(?P<password>'[^']*'|[^\s;&]+)", re.IGNORECASE
)
_WORD_AND_PASSWORD = re.compile(
    r"(?P<word>\b(?:password|passwd|pwd|sslpassword)=)(?P<password>'[^'\s]*'|[^\s;&'\"`,)]+)", re.IGNORECASE
)
_QUERY = re.compile(rf"(?P<name>[?&](?:{PARTS}|pwd|sig)=)(?P<value>[^&#\s\"'`]+)", re.IGNORECASE)
_PATH = re.compile(r"[\w./~-]+")
_GSM = re.compile(r"projects/[^/]+/secrets/[^/]+(/versions/[^/]+)?")
_SHORTEST = 4
_SHORTEST_LINE = 8
#: a piece of a password that stands alone where a driver took the password apart
_SHORTEST_PIECE = 5
#: where URL and connection string parsers cut a password that is not percent-encoded
_CUTS = re.compile(r"[\s@:/?#&=;,'\"\\]+")
_MASK = "***"

_lock = threading.Lock()
_forms: set[str] = set()
_pattern: re.Pattern[str] | None = None


def has_reference(value: Any) -> bool:  # noqa: ANN401 - any YAML value
    """Whether a secret reference stands anywhere in ``value``."""
    if isinstance(value, str):
        return _REFERENCE.search(value) is not None
    if isinstance(value, dict):
        return any(has_reference(each) for each in value.values())
    return isinstance(value, list | tuple) and any(has_reference(each) for each in value)


def as_written(text: str) -> str:
    """``text`` as it can be read without its secrets: each reference is its default, or else the character NUL."""
    return _REFERENCE.sub(_readable, text)


def has_password(text: str, *, whole: bool) -> bool:
    """Whether a URL in ``text`` holds a password that is written out.

    Args:
        text: any text, references unresolved.
        whole: whether all of it may be one URL, whose password may hold what should be percent-encoded.
    """
    told = as_written(text)
    found = [*_PASSWORD.finditer(told), *([match] if whole and (match := _UNENCODED.match(told)) else [])]
    return any(match["password"].strip() and "\0" not in match["password"] for match in found)


def resolve(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """``value`` with all references replaced; mappings and lists are copied.

    Raises:
        SecretError: a variable, file or secret is missing; names the reference, never a value.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(_replacement, value)
    if isinstance(value, dict):
        return {key: resolve(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(each) for each in value]
    return value


def register(secret: str) -> None:
    """Remember ``secret`` and the forms in which it may appear, such as URL-encoded.

    Passwords inside a DSN are remembered too, and the pieces that a driver would
    cut them into. Values of three characters or less are not: masking them would
    garble every message and hide nothing.
    """
    passwords = _passwords(secret)
    lines = [line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE]
    _remember({secret, secret.strip(), *lines, *passwords, *_pieces(passwords)})


def register_password(secret: str) -> None:
    """Remember what stands in a field that is declared secret: its pieces too, unless it is a DSN or URL."""
    register(secret)
    if not _passwords(secret) and "://" not in secret:
        _remember(_pieces({secret}))


def mask(text: str) -> str:
    """``text`` with remembered secrets, and those inside URLs and connection strings, replaced by ``***``."""
    pattern = _compiled()
    masked = pattern.sub(_MASK, text) if pattern else text
    masked = _PASSWORD.sub(lambda match: match[0].replace(f":{match['password']}@", f":{_MASK}@"), masked)
    masked = _WORD_AND_PASSWORD.sub(rf"\g<word>{_MASK}", masked)
    return _QUERY.sub(rf"\g<name>{_MASK}", masked)


def mask_all(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """``value`` with :func:`mask` applied to every text in it; mappings and lists are copied."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: mask_all(each) for key, each in value.items()}
    return [mask_all(each) for each in value] if isinstance(value, list | tuple) else value


def _remember(secrets: set[str]) -> None:
    global _pattern  # noqa: PLW0603 - one register per process is the point
    forms = {form for secret in secrets for form in _appearances(secret) if len(form) >= _SHORTEST}
    with _lock:
        if not forms <= _forms:
            _forms.update(forms)
            _pattern = None
    guard(mask)


def _appearances(secret: str) -> set[str]:
    """Every way in which drivers, servers and formatters write a text."""
    import html

    encoded = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    encoded |= {_lower_escapes(each) for each in encoded}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    escaped |= {json.dumps(each)[1:-1] for each in escaped} | {secret.replace("'", "''"), secret.replace('"', '""')}
    return {secret, html.escape(secret), *encoded, *escaped, *_in_base64(secret)}


def _lower_escapes(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text)


def _in_base64(secret: str) -> set[str]:
    """What is the same in every base64 text that holds the secret, whatever stands before and behind it (RFC 4648).

    ``Authorization: Basic`` is base64 of ``user:password``: three bytes make four
    characters, so there are three ways in which the secret can be aligned.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    found = {base64.b64encode(raw).decode()}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        left, right = -(-before * 4 // 3), len(text) if (before + len(raw)) % 3 == 0 else len(text) - 1
        found.add(text[left:right])
    found |= {each.replace("+", "-").replace("/", "_") for each in found}
    return {each for each in found if len(each) >= _SHORTEST_LINE}


def _pieces(passwords: set[str]) -> set[str]:
    return {piece for each in passwords for piece in _CUTS.split(each) if len(piece) >= _SHORTEST_PIECE}


def _compiled() -> re.Pattern[str] | None:
    global _pattern  # noqa: PLW0603 - see _remember
    with _lock:
        if _pattern is None and _forms:
            # longest first, so that a secret inside a longer one does not leave the rest standing
            _pattern = re.compile("|".join(re.escape(form) for form in sorted(_forms, key=len, reverse=True)))
        return _pattern


def _passwords(secret: str) -> set[str]:
    found = {match["password"].strip("'") for match in _PASSWORD_WORD.finditer(secret)}
    found |= {match["password"] for match in _PASSWORD.finditer(secret)}
    found |= {match["password"] for match in [_UNENCODED.match(secret)] if match}
    return found | {unquote(each) for each in found}


def _readable(match: re.Match[str]) -> str:
    variable = _VARIABLE.fullmatch(match["body"]) if match["scheme"] == "env" else None
    return (variable and variable["default"]) or "\0"


def _replacement(match: re.Match[str]) -> str:
    scheme, body = match["scheme"], match["body"]
    reader = _READERS.get(scheme)
    if reader is None:
        known = ", ".join(f"${{{each}://…}}" for each in _READERS)
        msg = f"Unknown secret reference ${{{scheme}://…}}. Allowed: {known}."
        raise SecretError(msg)
    return reader(body, match[0])


def _shown(body: str, reference: str) -> str:
    """A wrong reference for a message; without its body unless that looks like a path: it may be the secret itself."""
    return reference if _PATH.fullmatch(body) else f"{reference.partition('://')[0]}://…}}"


def _from_environment(body: str, reference: str) -> str:
    match = _VARIABLE.fullmatch(body)
    if match is None:
        # the body is not shown: it may be the secret itself, pasted in the wrong place
        msg = "A reference ${env://…} does not name a variable. Write ${env://NAME} or ${env://NAME:-default}."
        raise SecretError(msg)
    value = os.environ.get(match["name"])
    if not value and match["given"]:
        # a default stands in the YAML for all to read; only a password inside it is kept from others
        _remember(_passwords(match["default"]))
        return match["default"]
    if value is None:
        name = match["name"]
        msg = f"{reference}: environment variable {name} is not set. Set it, or give a default: ${{env://{name}:-default}}."
        raise SecretError(msg)
    register(value)
    return value


def _from_file(body: str, reference: str) -> str:
    if not body.startswith("/"):
        shown = _shown(body, reference)
        msg = f"{shown}: the path must be absolute. Write ${{file:///path/to/secret}} with three slashes."
        raise SecretError(msg)
    try:
        secret = Path(body).read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        msg = f"{reference}: the file is not UTF-8 text. Store the secret as text."
        raise SecretError(msg) from error
    except OSError as error:
        msg = f"{reference}: the file cannot be read ({error.strerror}). Create it, or mend its permissions."
        raise SecretError(msg) from error
    register(secret)
    return secret


def _from_secret_manager(body: str, reference: str) -> str:
    if not _GSM.fullmatch(body):
        shown = _shown(body, reference)
        msg = f"{shown}: write ${{gsm://projects/PROJECT/secrets/NAME}}, with /versions/N at the end for one version."
        raise SecretError(msg)
    try:
        from google.cloud import secretmanager  # type: ignore[attr-defined,import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        msg = f"{reference}: Google Secret Manager needs a package. Run `pip install google-cloud-secret-manager`."
        raise SecretError(msg) from error
    name = body if "/versions/" in body else f"{body}/versions/latest"
    try:
        response = secretmanager.SecretManagerServiceClient().access_secret_version(name=name)
    except Exception as error:  # google.api_core and google.auth errors share no base class
        msg = (
            f"{reference}: Google Secret Manager refused ({type(error).__name__}). Check the name and your permissions."
        )
        raise SecretError(msg) from error
    secret = str(response.payload.data.decode("utf-8"))
    register(secret)
    return secret


_READERS = {"env": _from_environment, "file": _from_file, "gsm": _from_secret_manager}
