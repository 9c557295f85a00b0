"""Whatever bytes a file holds, a reader gives rows and rejected records, or an error of ours that names the file."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from platform_pipelines.connectors.files import FilesConnector
from platform_pipelines.connectors.registry import capabilities
from platform_pipelines.cursor import Cursor
from platform_pipelines.errors import PipelinesError, SpecError, StoreCorrupt
from platform_pipelines.formats.json_page import PageReader
from platform_pipelines.model import Feed, Stream, Window
from platform_pipelines.outcomes import RuleOutcome, TransformOutcome
from platform_pipelines.spec import load_catalog
from platform_pipelines.store import Verdict
from platform_pipelines.store.manifest import DataFile, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: pieces of which files are made that readers stumble over
CSV = st.sampled_from(
    [
        "a",
        "1",
        ",",
        ";",
        '"',
        '""',
        "'",
        "\n",
        "\r",
        "\r\n",
        "\0",
        "\ufeff",
        "é",
        "🐘",
        "\x1a",
        "\\",
        "0" * 30,
        "NULL",
        " ",
        "-",
    ]
)
JSON = st.sampled_from(
    ["{", "}", "[", "]", ":", ",", '"', '"a"', '"b"', "1", "-", "1e999", "0" * 30, "9" * 40, "null", "true", "NaN",
     "\\ud800", "\\u0000", "\n", " ", "\ufeff", "é", "\0", '{"a":1}', '{"a":{"b":[1,null]}}', '{"a":1,"a":2}', "/*"]
)  # fmt: skip
YAML = st.sampled_from(
    ["name", "source", "p", ":", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "!!python/object:os.system ", "!x ",
     "|\n", ">\n", "\n", "  ", "\t", "'", '"', "#", "%", "---\n", "...\n", "0x10", "1e9", ".nan", "~", "\ufeff", "\0", "é",
     "${env://X}", "destinations", "connector", "type: memory", "stream"]
)  # fmt: skip


def made_of(pieces: st.SearchStrategy[str], most: int) -> st.SearchStrategy[bytes]:
    return st.lists(pieces, max_size=most).map(lambda found: "".join(found).encode("utf-8", "surrogatepass"))


def mutated(content: bytes) -> st.SearchStrategy[bytes]:
    """The content with a piece of it replaced by others."""
    places = st.integers(0, len(content))
    bits = st.binary(max_size=8) | st.sampled_from([b"null", b"{}", b"[]", b'"x"', b"-1", b"1e999", b"9" * 30, b""])
    return st.builds(
        lambda at, length, bit: content[:at] + bit + content[at + length :], places, st.integers(0, 20), bits
    )


def read(folder: Path, name: str, data: bytes, file_format: Any) -> tuple[int, int] | str:
    """Rows and rejected records of a file; where it is refused, what is said."""
    (folder / name).write_bytes(data)
    try:
        pages = list(FilesConnector(root=str(folder), format=file_format).read(Stream(name), Window(), None))
    except PipelinesError as error:
        return str(error)
    return sum(batch.num_rows for page in pages for batch in page.batches), sum(len(page.rejected) for page in pages)


@given(made_of(CSV, 30) | st.binary(max_size=60))
@settings(max_examples=250, deadline=None)
@example(b"\xff\xfe")
@example(b'a,b\n1,"2')
@example(b"a,a\n1,2\n")
@example(b"\0")
def test_csv(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    found = read(tmp_path_factory.getbasetemp(), "fuzz.csv", data, "csv")
    if isinstance(found, str):
        assert "fuzz.csv" in found
    else:
        assert sum(found) <= data.count(b"\n") + data.count(b"\r")  # the first line names the columns


@given(made_of(JSON, 30) | st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
@example(b"[" * 100_000)
@example(b'{"a":' * 5_000 + b"1" + b"}" * 5_000)
@example(b'{"a":' * 300 + b"1" + b"}" * 300)
@example(b'{"a":' + b"[" * 480 + b"]" * 480 + b"}")
@example(b'[{"a":1},2,null,"x",[{}]]')
@example(b'{"a\\u0000":1}')
def test_json(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    found = read(tmp_path_factory.getbasetemp(), "fuzz.json", data, "json")
    if isinstance(found, str):
        assert "fuzz.json" in found
    else:
        assert sum(found) <= len(data)


@given(st.lists(made_of(JSON, 8).map(lambda line: line.replace(b"\n", b"")), max_size=8))
@settings(max_examples=200, deadline=None)
@example([b"{}", b"{}"])
def test_every_line_of_json_is_a_row_or_rejected(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    found = read(tmp_path_factory.getbasetemp(), "fuzz.jsonl", b"\n".join(lines), "jsonl")
    begun = [line.removeprefix("\ufeff".encode()) for line in lines[:1]] + lines[1:]
    if isinstance(found, str):
        assert "fuzz.jsonl" in found
    else:
        assert sum(found) == len([line for line in begun if line.strip()])


@given(made_of(JSON, 25) | st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
@example(b"[" * 100_000)
def test_pages_of_an_api(data: bytes) -> None:
    def find(decoded: Any) -> list[Any]:
        if not isinstance(decoded, list):
            raise LookupError  # noqa: TRY004 - the contract's
        return decoded

    try:
        page = PageReader("json", None, find).read(data)
    except (PipelinesError, ValueError, LookupError):
        return
    assert page.count >= page.batch.num_rows


@given(st.binary(max_size=80) | mutated(b"PAR1" + b"\0" * 20 + b"PAR1"))
@settings(max_examples=40, deadline=None)
def test_parquet(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    assert "fuzz.parquet" in str(read(tmp_path_factory.getbasetemp(), "fuzz.parquet", data, "parquet"))


@pytest.mark.parametrize("suffix", ["gz", "zst", "zip"])
@given(data=st.binary(max_size=80))
@settings(max_examples=25, deadline=None)
def test_packed_files(tmp_path_factory: pytest.TempPathFactory, suffix: str, data: bytes) -> None:
    name = f"fuzz.csv.{suffix}" if suffix != "zip" else "fuzz.zip"
    found = read(tmp_path_factory.getbasetemp(), name, data, "csv")
    assert isinstance(found, tuple) or name in found


GOOD = """name: p
source: {connector: {type: memory}, stream: s, mode: incremental, cursor: {field: at, lag: 1h}}
transforms: [{filter: "a > 1"}, {map: {a: {from: b, convert: lower}}}]
quality: {rules: [{type: range, field: a, min: 1}, {type: unique, fields: [a], scope: d}]}
destinations: [{connector: {type: memory}, name: d, mode: merge, key: [a]}]
partitions: {by: day, field: at, start: 2024-01-01}
schedule: {cron: "0 * * * *"}
"""


@pytest.mark.parametrize("file", ["p.yaml", "connectors.yaml"])
@given(data=made_of(YAML, 20) | mutated(GOOD.encode()))
@settings(max_examples=250, deadline=None)
@example(data=b"a: &a [x]\nb: &b [*a, *a]\n" + b"".join(b"c%d: &c%d [*b, *b, *b]\n" % (i, i) for i in range(9)))
@example(data=b"{" * 10_000)
def test_declarations(tmp_path_factory: pytest.TempPathFactory, file: str, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / f"defs-{file}"
    folder.mkdir(exist_ok=True)
    (folder / file).write_bytes(data)
    try:
        load_catalog(folder, capabilities)
    except SpecError as error:
        assert file in str(error)  # noqa: PT017 - both ends are fine


_FILE = DataFile("a/part-00000.parquet", 3, 100, "0" * 64)
_SCHEMA = pa.schema([("id", pa.int64())])
MANIFEST = Manifest(
    Feed("p", "eu"), 1, 2, "pt-1", "r", "2024-01-01T00:00:00+00:00", files=(_FILE,), rejects=_FILE, schema=_SCHEMA,
    watermark=Cursor.parse("2024-01-01T00:00:00", "timestamp"), boundary={"x": base64.b64encode(b"\0" * 16).decode()},
    columns=("id",), resume={"page": 1}, replays=({"batch": "1/1"},),
).to_bytes()  # fmt: skip
VERDICT = Verdict(
    1, 2, "passed", "pt-1", "2024-01-01T00:00:00+00:00", files=(_FILE,), dead=(_FILE,), schema=_SCHEMA,
    rules=(RuleOutcome("r", "range", "error", 1, 3, "x", ()),), transforms=(TransformOutcome("f", "filter", 3, 2, 0.1),),
).to_bytes()  # fmt: skip


@pytest.mark.parametrize(("content", "parse"), [(MANIFEST, Manifest.from_bytes), (VERDICT, Verdict.from_bytes)])
def test_what_was_written_is_read(content: bytes, parse: Callable[[bytes, Path], Any], tmp_path: Path) -> None:
    assert parse(content, tmp_path).to_bytes() == content


@pytest.mark.parametrize(("content", "parse"), [(MANIFEST, Manifest.from_bytes), (VERDICT, Verdict.from_bytes)])
def test_damaged_anywhere(content: bytes, parse: Callable[[bytes, Path], Any], tmp_path: Path) -> None:
    place = tmp_path / "x.json"
    damaged = [content[:at] + b"////" + content[at:] for at in range(len(content))]
    found = [again(data, parse, place) for data in damaged]
    assert [text for text in found if isinstance(text, str) and str(place) not in text] == []
    assert [data for data in found if isinstance(data, bytes) and again(data, parse, place) != data] == []


@given(mutated(MANIFEST) | st.binary(max_size=30) | made_of(JSON, 20))
@settings(max_examples=400, deadline=None)
@example(b"[" * 100_000)
@example(json.dumps({"format": 1}).encode())
def test_manifests(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    place = tmp_path_factory.getbasetemp() / "m.json"
    found = again(data, Manifest.from_bytes, place)
    assert isinstance(found, bytes) or str(place) in found


@given(mutated(VERDICT) | st.binary(max_size=30) | made_of(JSON, 20))
@settings(max_examples=400, deadline=None)
@example(b"[" * 100_000)
def test_verdicts(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    place = tmp_path_factory.getbasetemp() / "v.json"
    found = again(data, Verdict.from_bytes, place)
    assert isinstance(found, bytes) or str(place) in found


def again(data: bytes, parse: Callable[[bytes, Path], Any], place: Path) -> bytes | str:
    """What was read, as it is written again; where it is refused, what is said."""
    try:
        found = parse(data, place)
    except StoreCorrupt as error:
        return str(error)
    return bytes(found.to_bytes())
