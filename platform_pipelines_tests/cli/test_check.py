from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_pipelines_tests.cli.commands import Folder


def test_all_is_well(orders: Folder) -> None:
    answer = orders.type("check")
    assert (answer.code, answer.out, answer.err) == (0, "All is well: 1 pipeline, 2 connectors.\n", "")


def test_every_error_of_every_file_has_its_line(orders: Folder) -> None:
    orders.write(
        "defs/a.yaml",
        "name: a\nsource:\n  connector: drps\n  stream: a.csv\ndestinations:\n  - {connector: warehouse}\n",
    )
    orders.write("defs/b.yaml", "name: b\nsorce: {}\ndestinations: []\n")
    answer = orders.type("check")
    assert answer.code == 2
    assert answer.out == ""
    lines = answer.err.splitlines()
    assert lines[0].startswith("defs/a.yaml:3: Unknown connector `drps`.")
    assert "Did you mean `drops`?" in lines[0]
    assert any(line.startswith("defs/b.yaml:2: ") and "sorce" in line for line in lines)
    assert lines[-1] == f"{len(lines) - 1} errors."


def test_json_lists_the_errors(orders: Folder) -> None:
    orders.write(
        "defs/b.yaml", "name: b\nsource: {connector: drops, stream: b}\ndestinations: [{connector: nowhere}]\n"
    )
    answer = orders.type("check", "--json")
    assert answer.code == 2
    body = answer.json
    assert body["status"] == "failed"
    (error,) = body["errors"]
    assert (error["file"], error["line"]) == ("defs/b.yaml", 3)
    assert error["message"].startswith("Unknown connector `nowhere`.")
    assert orders.type("check", "--json", "--connect").code == 2


def test_json_of_a_clean_project(orders: Folder) -> None:
    assert orders.type("check", "--json").json == {
        "status": "success",
        "pipelines": ["orders"],
        "connectors": ["drops", "warehouse"],
        "errors": [],
        "error": None,
    }


def test_sql_is_parsed(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text() + 'transforms:\n  - sql: "selekt * from input"\n')
    answer = orders.type("check")
    assert answer.code == 2
    assert answer.err.startswith("defs/sales/orders.yaml:15: ")


def test_python_that_is_named_is_imported(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text() + "transforms:\n  - function: no_such_module:tidy\n")
    answer = orders.type("check")
    assert answer.code == 2
    assert answer.err.startswith("defs/sales/orders.yaml:15: ")
    assert "no_such_module" in answer.err
    orders.write("no_such_module.py", "def tidy(frame):\n    return frame\n")
    assert orders.type("check").code == 0


def test_values_of_connectors_are_checked(orders: Folder) -> None:
    orders.write(
        "defs/connectors.yaml", "drops: {type: files, root: in, format: xml}\nwarehouse: {type: duckdb, path: w}\n"
    )
    answer = orders.type("check")
    assert answer.code == 2
    assert answer.err.startswith("defs/connectors.yaml:1: Connector `drops`")


def test_only_the_named_are_checked(orders: Folder) -> None:
    answer = orders.type("check", "ordres")
    assert answer.code == 2
    assert "Did you mean `orders`?" in answer.err


def test_connect_passes(orders: Folder) -> None:
    assert orders.type("check", "orders", "--connect").code == 0


def test_connect_finds_columns_that_do_not_exist(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text().replace("field: at", "field: att").replace("key: [id]", "key: [idd]"))
    answer = orders.type("check", "--connect")
    assert answer.code == 2
    assert "names `att` as the cursor, which is no column. Allowed: id, amount, at. Did you mean `at`?" in answer.err
    assert answer.err.startswith("defs/sales/orders.yaml:1: ")


def test_connect_finds_keys_that_transforms_drop(orders: Folder) -> None:
    path = orders.root / "defs/sales/orders.yaml"
    path.write_text(path.read_text() + "transforms:\n  - map: {number: id, amount: amount, at: at}\n")
    answer = orders.type("check", "--connect")
    assert answer.code == 2
    assert "`id` as the key of destination `warehouse`" in answer.err


def test_connect_finds_a_stream_that_does_not_exist(orders: Folder) -> None:
    (orders.root / "in/orders.csv").unlink()
    answer = orders.type("check", "--connect")
    assert answer.code == 2
    assert "orders.csv" in answer.err


def test_connect_to_a_system_out_of_reach_is_4_and_shows_no_secret(
    orders: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_DSN", "postgresql://app:hunter2secret@127.0.0.1:1/db")
    orders.write(
        "defs/connectors.yaml",
        'drops: {type: files, root: in, format: csv}\nwarehouse: {type: postgres, dsn: "${env://PG_DSN}"}\n',
    )
    for words in (
        ("check", "--connect"),
        ("check", "--connect", "--json"),
        ("discover", "warehouse"),
        ("run", "orders"),
    ):
        answer = orders.type(*words)
        assert answer.code == 4, words
        assert "hunter2secret" not in answer.out + answer.err
        assert answer.err


def test_a_missing_secret_is_named(orders: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PG_DSN", raising=False)
    orders.write(
        "defs/connectors.yaml",
        'drops: {type: files, root: in, format: csv}\nwarehouse: {type: postgres, dsn: "${env://PG_DSN}"}\n',
    )
    assert orders.type("check").code == 0
    answer = orders.type("check", "--connect")
    assert answer.code == 2
    assert (
        "connectors.yaml:2: Connector `warehouse`: ${env://PG_DSN}: environment variable PG_DSN is not set"
        in answer.err
    )


def test_secrets_in_plain_text_are_told_and_cost_nothing(orders: Folder) -> None:
    path = orders.root / "defs/connectors.yaml"
    path.write_text(f"{path.read_text()}shop:\n  type: postgres\n  dsn: postgresql://u:hunter2@db.example/x\n")
    answer = orders.type("check")
    assert (answer.code, answer.out) == (0, "All is well: 1 pipeline, 3 connectors.\n")
    assert answer.err.startswith(
        "Warning: defs/connectors.yaml:5: Connector `shop` holds a secret in plain text, in `dsn`."
    )
    assert "hunter2" not in answer.err
    body = orders.type("check", "--json").json
    assert (body["status"], [f"Warning: {text}\n" for text in body["warnings"]]) == ("success", [answer.err])
    assert orders.type("check", "--connect", "--json").json["warnings"] == body["warnings"]
    assert "secret" not in orders.type("run", "orders").err


def test_secrets_in_plain_text_are_told_beside_errors(orders: Folder) -> None:
    path = orders.root / "defs/connectors.yaml"
    shop = "shop:\n  type: postgres\n  dsn: postgresql://u:hunter2@db.example/x\n"
    path.write_text(f"{path.read_text()}{shop}other: {{type: duckdb, path: x, pth: y}}\n")
    for command in (["check"], ["check", "orders"]):
        answer = orders.type(*command)
        assert answer.code == 2
        assert "Unknown key `pth`" in answer.err
        assert "Warning: defs/connectors.yaml:5: Connector `shop` holds a secret in plain text" in answer.err
        assert "hunter2" not in answer.err
    body = orders.type("check", "--json").json
    assert (len(body["errors"]), len(body["warnings"])) == (1, 1)


def test_a_secret_of_an_inline_connection_has_its_line(orders: Folder) -> None:
    orders.write(
        "defs/a.yaml",
        "name: a\nsource:\n  connector:\n    type: rest\n    base_url: https://api.example\n    auth:\n      type: bearer\n"
        "      token: hunter2\n    streams: {s: {path: /s}}\n  stream: s\ndestinations:\n  - {connector: warehouse}\n",
    )
    answer = orders.type("check", "a")
    assert answer.code == 0
    assert "Warning: defs/a.yaml:8: Connector `a.source` holds a secret in plain text, in `auth.token`." in answer.err
    assert "hunter2" not in answer.err


@pytest.mark.parametrize(
    ("transform", "line", "message"),
    [
        ("- map:\n      id: id\n      email:\n        from: a\n        convrt: lower", 15, "unknown key `convrt`"),
        ("- map:\n      id: id\n      email:\n        convert: lowr", 13, "lowr"),
        ("- join:\n      with:\n        connector: warehouse\n        tabel: x", 14, "unknown key `tabel`"),
        (
            "- join:\n      with: {connector: warehouse, table: x}\n      on: {a: b}\n      hwo: left",
            14,
            "unknown key `hwo`",
        ),
        (
            "- join:\n      with: {connector: warehouse, table: x}\n      on: {a: b}\n      how: up",
            14,
            "Unknown `how: up`",
        ),
        ("- aggregate:\n      by: [a]\n      values: {n: count}\n      valeus: 3", 14, "unknown key `valeus`"),
        ("- aggregate:\n      values:\n        n: count\n        m: cuont", 14, "`aggregate.values.m` is 'cuont'"),
        ("- mask:\n      email: sha256\n      phone:\n        how: keep_last\n        nn: 3", 15, "unknown key `nn`"),
    ],
)
def test_an_unknown_key_of_a_transform_has_its_own_line(
    orders: Folder, transform: str, line: int, message: str
) -> None:
    orders.write(
        "defs/a.yaml",
        "name: a\n"
        "source: {connector: drops, stream: a.csv}\n"
        "destinations:\n"
        "  - {connector: warehouse, table: raw.a, mode: replace}\n"
        "quality:\n"
        "  rules:\n"
        "    - id: a\n"
        "      type: required\n"
        "      fields: [a]\n"
        "transforms:\n"
        f"  {transform}\n",
    )
    answer = orders.type("check", "a")
    assert answer.code == 2
    (said, _) = answer.err.splitlines()
    assert said.startswith(f"defs/a.yaml:{line}: Transform ")
    assert message in said
