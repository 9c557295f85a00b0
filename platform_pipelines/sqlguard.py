"""SQL of a user's own: proves that a text is one harmless SELECT or one expression.

The proof is made on DuckDB's own syntax tree (``json_serialize_sql``), and the
text that is run afterwards is written from that same tree, so there is no second
parser to disagree with. Binding to columns and running are left to the callers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

#: the relation a user's SQL reads
INPUT = "input"

#: functions that read the clock or chance: harmless, but not the same in every pass
_CHANGING = {
    "now", "today", "current_date", "current_localtime", "current_localtimestamp", "get_current_time",
    "get_current_timestamp", "transaction_timestamp", "random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid",
}  # fmt: skip
_REFUSED = re.compile(
    r"pg_(?!typeof|size_pretty).*|has_\w+_privilege|inet_.*|current_(?!date$|local).*|session_user|user|getvariable|getenv"
    r"|json_(de)?serialize_.*|map_to_pg_oid|col_description|obj_description|shobj_description|parse_duckdb_log_message"
    r"|stats|setseed|sleep_ms|write_log|nextval|currval|txid_current|in_search_path"
)
_TABLE_FUNCTIONS = {"unnest", "range", "generate_series"}
_FROM_TYPES = {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "CTE", "PIVOT"}
_FROM_KEYS = {"from_table", "left", "right", "source"}
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
#: what :func:`_function_kinds` found, once it has looked
_kinds: list[dict[str, str]] = []


@dataclass(frozen=True, slots=True)
class Checked:
    """A text that passed.

    Attributes:
        sql: the same statement or expression, written anew from the syntax tree.
        streaming: whether every row of the result comes from one row of the
            input and is the same each time it is computed.
        written: names under which the text computes new values.
        renamed: input columns passed on as they are under another name:
            ``{output: input}``.
    """

    sql: str
    streaming: bool
    written: frozenset[str] = frozenset()
    renamed: tuple[tuple[str, str], ...] = ()


def check_select(connection: duckdb.DuckDBPyConnection, text: str) -> Checked:
    """Prove that ``text`` is one SELECT that reads nothing but ``input``.

    Raises:
        SpecError: it does not parse, is no SELECT, or names another table, a
            file or a function that reaches outside the rows.
    """
    statements, canonical = _parse(connection, text)
    if len(statements) != 1:
        msg = f"One SELECT is allowed, {len(statements)} statements were found."
        raise SpecError(msg)
    node = statements[0]["node"]
    aggregates, changing = _check_tree(connection, node)
    streaming = not aggregates and not changing and _one_row_each(node)
    return Checked(canonical.rstrip(";"), streaming, frozenset(_written(node)) - {""}, tuple(_renamed(node)))


def check_expression(connection: duckdb.DuckDBPyConnection, text: str) -> Checked:
    """Prove that ``text`` is one expression over the columns of ``input``.

    Raises:
        SpecError: it does not parse, holds a subquery, an aggregate or a window,
            or names a function that reaches outside the rows.
    """
    statements, canonical = _parse(connection, f"select (\n{text}\n)")
    node = statements[0]["node"] if len(statements) == 1 else {}
    bare = node.get("from_table", {}).get("type") == "EMPTY" and not node.get("where_clause")
    if not bare or len(node["select_list"]) != 1 or node["modifiers"] or node["select_list"][0]["class"] == "STAR":
        msg = f"One expression that is true or false for each row is allowed, not {text!r}."
        raise SpecError(msg)
    aggregates, changing = _check_tree(connection, node)
    classes = {part.get("class") for part in _walk(node)}
    if aggregates or classes & {"SUBQUERY", "WINDOW"}:
        msg = (
            f"An expression may not hold subqueries, aggregates or windows: {text!r}. Use a `sql` transform for those."
        )
        raise SpecError(msg)
    return Checked(canonical.rstrip(";").removeprefix("SELECT "), streaming=not changing)


def _parse(connection: duckdb.DuckDBPyConnection, text: str) -> tuple[list[dict[str, Any]], str]:
    row = connection.execute("select json_serialize_sql($1)", [text]).fetchone()
    tree = json.loads(row[0]) if row else {}
    if tree.get("error", True):
        no_select = tree.get("error_type") == "not implemented"
        why = "it is no SELECT" if no_select else tree.get("error_message", "it is not readable as SQL")
        msg = f"{text.strip()!r} is not allowed: {why}. Allowed: one SELECT over `{INPUT}`, or one expression."
        raise SpecError(msg)
    if len(tree["statements"]) != 1:
        return tree["statements"], ""
    written = connection.execute("select json_deserialize_sql($1)", [row[0] if row else ""]).fetchone()
    return tree["statements"], str(written[0]) if written else ""


def _check_tree(connection: duckdb.DuckDBPyConnection, node: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the tree aggregates, and whether it holds functions of clock or chance."""
    known = _function_kinds(connection)
    tables = _with_names(node) | {INPUT}
    aggregates = changing = False
    for part in _walk(node):
        _check_table(part, tables)
        name = str(part.get("function_name", "")).lower() if part.get("class") in {"FUNCTION", "WINDOW"} else ""
        if not name or part.get("is_operator"):
            continue
        if name not in _TABLE_FUNCTIONS and part["class"] == "FUNCTION" and (name not in known or _refused(name)):
            _refuse_function(name)
        aggregates |= known.get(name) == "aggregate" or part["class"] == "WINDOW"
        changing |= name in _CHANGING
    return aggregates, changing


def _check_table(part: dict[str, Any], tables: set[str]) -> None:
    if part.get("class") == "PARAMETER":
        msg = "Parameters such as `$1` are not allowed in SQL of a pipeline."
        raise SpecError(msg)
    if "table_name" in part and part.get("type") == "BASE_TABLE":
        name = part["table_name"]
        if name not in tables or part.get("schema_name") or part.get("catalog_name"):
            msg = f"SQL of a pipeline reads only `{INPUT}`, not `{name}`. To add another table use a `join` transform."
            raise SpecError(msg)
    for key in _FROM_KEYS & part.keys():
        child = part[key]
        if isinstance(child, dict) and "alias" in child and "class" not in child and child["type"] not in _FROM_TYPES:
            msg = f"SQL of a pipeline reads only `{INPUT}`; {child['type']} is not allowed."
            raise SpecError(msg)
    if part.get("type") == "TABLE_FUNCTION" and part["function"]["function_name"].lower() not in _TABLE_FUNCTIONS:
        _refuse_function(part["function"]["function_name"])


def _refuse_function(name: str) -> None:
    msg = f"The function `{name}` is not allowed in SQL of a pipeline: it is unknown, or reaches outside the rows."
    raise SpecError(msg)


def _refused(name: str) -> bool:
    return name not in _CHANGING and _REFUSED.fullmatch(name) is not None


def _with_names(node: dict[str, Any]) -> set[str]:
    names: set[str] = set()
    for part in _walk(node):
        for entry in (part.get("cte_map") or {}).get("map", []):
            name = entry["key"]
            # A name that could be read as a file is refused: out of its scope DuckDB would open the file.
            if not _PLAIN_NAME.fullmatch(name) or name.startswith("_pipelines"):
                msg = f"The name `{name}` of a WITH clause must be a plain identifier."
                raise SpecError(msg)
            names.add(name)
    return names


def _one_row_each(node: dict[str, Any]) -> bool:
    plain = node.get("type") == "SELECT_NODE" and node["from_table"].get("type") == "BASE_TABLE"
    if not plain or node["modifiers"] or node["cte_map"]["map"] or node["from_table"].get("sample"):
        return False
    if any(node[key] for key in ("group_expressions", "group_sets", "having", "sample", "qualify")):
        return False
    return not any(part.get("class") == "SUBQUERY" or part.get("function_name") == "unnest" for part in _walk(node))


def _written(node: dict[str, Any]) -> Iterator[str]:
    """Names that mean another value in the result than in the input."""
    tables = {part["alias"] for part in _walk(node) if "alias" in part and "class" not in part}
    tables |= {INPUT} | _with_names(node)
    for part in _walk(node):
        path = part.get("column_names")
        if "alias" in part and "class" in part and (path is None or part["alias"] not in {"", path[-1]}):
            yield part["alias"]
        if path and path[:-1] and (len(path) > 2 or path[0] not in tables):  # noqa: PLR2004 - table.column
            yield path[-1]
        yield from (entry["key"] for entry in part.get("replace_list", []))
        yield from (entry["value"] for entry in part.get("rename_list", []))


def _renamed(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """``(output, input)`` of the columns that the outermost SELECT takes over as they are."""
    table = node.get("from_table", {}).get("alias") or INPUT
    for item in node.get("select_list", []):
        path = item.get("column_names", [])
        if len(path) == 1 or (len(path) == 2 and path[0] == table):  # noqa: PLR2004 - table.column
            yield item["alias"] or path[-1], path[-1]
        for entry in item.get("rename_list", []):
            yield entry["value"], entry["key"]["column"]


def _walk(node: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from _walk(child)


def _function_kinds(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """DuckDB's own functions, the same in every connection; to list them takes longer than to judge a small batch."""
    if not _kinds:
        rows = connection.execute(
            "select distinct lower(function_name), function_type from duckdb_functions() "
            "where function_type in ('scalar', 'aggregate', 'macro') and internal order by function_type desc"
        ).fetchall()
        _kinds.append({str(name): str(kind) for name, kind in rows})
    return _kinds[0]
