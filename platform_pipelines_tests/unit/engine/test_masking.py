"""Masks ``at: landing``: a value that is masked there is nowhere in clear, whatever becomes of its record."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.engine import dead_letters, state, status
from platform_pipelines.engine.previewing import preview
from platform_pipelines.engine.rowhash import RowHasher
from platform_pipelines.errors import SpecError
from platform_pipelines_tests.unit.engine.world import FEED, World, at

if TYPE_CHECKING:
    from pathlib import Path

SALT = "salt-of-the-earth"
TOKEN = {"how": "tokenize", "salt": "${env://MASK_SALT}"}
HIDE = {"mask": {"email": TOKEN, "phone": "redact"}, "at": "landing"}
CLEAR = ("ann@example.org", "bob@example.org", "cid@example.org", "dan@example.org", "5550100", "5550101", "5550102")
#: one row that is loaded, one that a transform stops, one that a rule rejects, one of a wrong type, one of no shape
ROWS = """\
id,age,email,phone,at
1,30,ann@example.org,5550100,2026-01-01 00:00:00
2,old,bob@example.org,5550101,2026-01-02 00:00:00
3,-1,cid@example.org,5550102,2026-01-03 00:00:00
x4,40,dan@example.org,5550103,2026-01-04 00:00:00
5,50,dan@example.org,5550103,2026-01-05 00:00:00,cid@example.org,5550102
"""


@pytest.fixture(autouse=True)
def salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASK_SALT", SALT)


def token(value: str) -> str:
    return "tok_" + hmac.new(SALT.encode(), value.encode(), "sha256").hexdigest()[:32]


def people(world: World, **changes: Any) -> Any:
    folder = world.root / "in"
    folder.mkdir(exist_ok=True)
    (folder / "people.csv").write_text(ROWS)
    source = {"type": "files", "root": str(folder), "format": "csv", "options": {"types": {"id": "bigint"}}}
    settings: dict[str, Any] = {
        "source": {
            "connector": source,
            "stream": "people.csv",
            "mode": "incremental",
            "cursor": {"field": "at", "timezone": "UTC"},
        },
        "transforms": [
            HIDE,
            {"map": {"id": "id", "age": {"convert": "int"}}, "unmapped": "keep"},
        ],
        "quality": {
            "rules": [
                {"id": "grown", "type": "range", "field": "age", "min": 0, "severity": "error"},
                {"id": "mail", "type": "regex", "field": "email", "pattern": "@", "severity": "warning"},
            ]
        },
    }
    return world.project(**settings | changes)


def texts(folder: Path) -> str:
    """All that is stored, as text: files as they are, and every value of the Parquet files."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            found.append(json.dumps(pq.read_table(path).to_pylist(), default=str))
            found.append(str(pq.read_schema(path)))
        if path.is_file():
            found.append(path.read_bytes().decode("latin-1"))
    return "\n".join(found)


def test_masked_values_are_nowhere_in_clear(world: World) -> None:
    project = people(world)
    report = world.run(project)
    assert (report.status, report.read, report.rejected) == ("success", 5, 4), report.error
    shown = [
        texts(world.root / "store"),
        json.dumps(dead_letters(project, "p"), default=str),
        json.dumps([run.to_json() for run in status(project, "p")], default=str),
        json.dumps(state(project, "p").to_json(), default=str),
        json.dumps(report.to_json(), default=str),
        json.dumps(preview(project, "p", 10).to_json(), default=str),
        str(world.rows()),
    ]
    assert "tok_" in shown[0]
    assert [value for value in CLEAR for text in shown if value in text] == []
    assert [(row["id"], row["email"], row["phone"]) for row in world.rows()] == [(1, token(CLEAR[0]), "***")]


def test_dead_letters_say_what_is_wrong_but_not_with_which_value(world: World) -> None:
    project = people(world)
    world.run(project)
    letters = {letter["rule"]: letter for letter in dead_letters(project, "p") if letter["rule"] != "type"}
    assert letters["grown"]["record"]["email"] == token("cid@example.org")
    assert letters["transform:map 2"]["record"]["email"] == token("bob@example.org")
    unread = [letter for letter in dead_letters(project, "p") if letter["rule"] == "type"]
    assert {value for letter in unread for value in letter["record"].values()} == {"***"}
    assert any("people.csv line 5, column id: cannot be read as declared" in letter["reason"] for letter in unread)


def test_row_hashes_at_the_boundary_are_those_of_hidden_values(world: World) -> None:
    project = people(world)
    rows = [{"id": 1, "email": CLEAR[0], "phone": 5550100, "at": at(1)}]
    project = world.project(transforms=[HIDE])
    world.put(rows)
    world.run(project)
    world.put([*rows, {"id": 2, "email": CLEAR[1], "phone": 5550101, "at": at(2)}])
    report = world.run(project)
    assert (report.read, report.deduplicated, world.ids()) == (2, 1, [1, 2]), "the row at the watermark is known again"
    manifest = project.store.feed(FEED).last(1)
    assert manifest is not None
    clear = MemoryConnector(space=world.space).table("rows").combine_chunks().to_batches()[0]
    hashes = b"".join(base64.b64decode(packed) for packed in manifest.boundary.values())
    assert hashes
    assert [digest for digest in RowHasher().digests(clear, tuple(clear.schema.names)) if digest in hashes] == []


def test_a_column_keeps_its_type_at_the_source_and_its_tokens(world: World) -> None:
    """The log holds text; a reader that took that for the column's type would give other text, and other tokens."""
    project = people(world, transforms=[{"mask": {"age": TOKEN}, "at": "landing"}], quality={})
    (world.root / "in/people.csv").write_text("id,age,at\n1,1.50,2026-01-01 00:00:00\n")
    world.run(project)
    (world.root / "in/people.csv").write_text("id,age,at\n1,1.50,2026-01-01 00:00:00\n2,1.50,2026-01-02 00:00:00\n")
    report = world.run(project)
    assert (report.deduplicated, report.error) == (1, None)
    assert len({row["age"] for row in world.rows()}) == 1


def test_an_error_of_the_source_quotes_no_value(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_args: Any) -> Any:
        message = f"the row {{'email': '{CLEAR[0]}'}} is \"{CLEAR[4]}\" wrong"
        raise ValueError(message)

    monkeypatch.setattr(MemoryConnector, "read", read)
    world.put([{"id": 1, "email": CLEAR[0], "phone": 5550100, "at": at(1)}])
    project = world.project(transforms=[HIDE])
    report = world.run(project)
    assert "ValueError: the row {'***' wrong" in str(report.error)
    assert [value for value in CLEAR if value in texts(world.root / "store") + str(report.error)] == []
    assert all(error.__cause__ is None or error.__cause__.__cause__ is None for error in report.errors)


def test_a_column_that_is_not_there_stops_the_landing(world: World) -> None:
    world.put([{"id": 1, "mail": CLEAR[0], "phone": 1, "at": at(1)}])
    report = world.run(world.project(transforms=[HIDE]))
    assert report.status == "failed"
    assert "Transform `mask 1` (mask at landing) names the column `email`, which does not exist" in str(report.error)
    assert CLEAR[0] not in texts(world.root / "store")


def test_metadata_of_the_source_does_not_outlive_its_values(world: World) -> None:
    field = pa.field("email", pa.string(), metadata={"pg_type": "uuid"})
    table = pa.table(
        [pa.array([1]), pa.array([CLEAR[0]]), pa.array([1.0])],
        pa.schema([("id", pa.int64()), field, ("phone", pa.float64())]),
    )
    MemoryConnector.put("rows", table, world.space)
    project = world.project(source={"connector": "mem", "stream": "rows"}, transforms=[HIDE])
    report = world.run(project)
    assert report.status == "success", report.error
    schema = MemoryConnector(space=world.space).table("out").schema
    assert b"pg_type" not in (schema.field("email").metadata or {})


def test_rows_and_seconds_of_a_mask_are_in_the_record(world: World) -> None:
    world.put([{"id": n, "email": CLEAR[0], "phone": 1, "at": at(n)} for n in range(3)])
    project = world.project(transforms=[HIDE])
    token_ = world.run(project).token
    (landing,) = [stage for stage in status(project, token_)[0].stages if stage["stage"] == "landing"]
    (figures,) = landing["transforms"]
    assert (figures["transform"], figures["rows_in"], figures["rows_out"]) == ("mask 1", 3, 3)
    assert figures["seconds"] >= 0


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ([HIDE | {"required": False}], "cannot be optional"),
        ([{"filter": "id > 0"}, HIDE], "Write it above them"),
        ([{"mask": {"at": "redact"}, "at": "landing"}], "`mask` would hide `at`, the cursor"),
        ([{"filter": "id > 0", "at": "landing"}], "`at` goes with `mask` alone"),
        ([{"mask": {"email": "redact"}, "unmapped": "keep"}], "`unmapped` goes with `map` alone"),
        ([{"mask": {"email": "redact"}, "at": "once"}], "landing"),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, transforms: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        world.project(transforms=transforms)


def test_a_plain_mask_hides_in_the_order_of_the_transforms(world: World) -> None:
    world.put([{"id": 1, "email": CLEAR[0], "at": at(1)}])
    world.run(world.project(transforms=[{"mask": {"email": "sha256"}}]))
    assert world.rows()[0]["email"] == hashlib.sha256(CLEAR[0].encode()).hexdigest()
    assert CLEAR[0] in texts(world.root / "store"), "what is landed is what the source gave"
