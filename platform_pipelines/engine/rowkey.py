"""The key of a row as a person writes it, and as a condition on files.

``a=1,b=2`` names columns; ``1,2`` gives values in the order of the destination's
key. A value that holds a comma or a quote stands in double quotes, as in CSV.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.duck import literal, quote
from platform_pipelines.errors import UsageError
from platform_pipelines.relations import family
from platform_pipelines.spec.nearest import allowed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from platform_pipelines.spec import PipelineSpec

#: what a person means as the name of a column, before ``=``
_COLUMN = re.compile(r"\s*[A-Za-z_]\w*\s*")


@dataclass(frozen=True, slots=True)
class RowKey:
    """Columns and the texts of their values."""

    values: Mapping[str, str]

    def condition(self, names: Mapping[str, str], types: Mapping[str, str]) -> str | None:
        """The rows of this key as a SQL condition.

        Args:
            names: what each of its columns is called there.
            types: DuckDB types of the columns there.

        Returns:
            None if one of its columns is not there.
        """
        parts = []
        for column, text in self.values.items():
            name = names.get(column, "")
            if name not in types:
                return None
            parts.append(_equals(quote(name), types[name], text))
        return " and ".join(parts)

    def fits(self, record: Mapping[str, Any], names: Mapping[str, str]) -> bool:
        """Whether a record as JSON has this key."""
        return all(str(record.get(names.get(column, column))) == text for column, text in self.values.items())

    def covers(self, key: Collection[str]) -> bool:
        """Whether it names all of the key, so that all its rows are versions of one."""
        return bool(key) and set(key) <= set(self.values)


def parse_key(spec: PipelineSpec, text: str, columns: Collection[str]) -> RowKey:
    """The key that a person wrote.

    Args:
        spec: the pipeline, whose destinations have keys.
        text: what was written.
        columns: columns of its rows, before and after transforms.

    Raises:
        UsageError: it names unknown columns, or one twice, or has another number of values than the key.
    """
    items = _items(text)
    pairs = [item.partition("=") for item in items]
    if pairs and all(sign and name.strip() in columns for name, sign, _ in pairs):
        return RowKey(_named(text, [(name.strip(), value) for name, _, value in pairs]))
    keys = {destination.key: destination.name for destination in spec.destinations if destination.key}
    for key in keys:
        if len(key) == len(items):
            _check_named(spec, text, pairs, columns)
            return RowKey(dict(zip(key, items, strict=True)))
    listed = " or ".join(f"{', '.join(key)} (destination `{name}`)" for key, name in keys.items()) or "none is declared"
    msg = (
        f"{text!r} is no key of `{spec.name}`. Keys: {listed}. Write values in the key's order, such as `1,2`, or name "
        f"columns, such as `a=1,b=2`. Columns: {', '.join(sorted(columns)) or 'none have landed yet'}."
    )
    raise UsageError(msg)


def _items(text: str) -> list[str]:
    """The values of a key, or columns with their values.

    Raises:
        UsageError: it is no line of CSV.
    """
    try:
        return next(csv.reader([text], skipinitialspace=True, strict=False), [])
    except csv.Error as error:
        msg = f"{text[:80]!r} is no key ({error}). A value that holds a line break stands in double quotes, as in CSV."
        raise UsageError(msg) from error


def _named(text: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Columns and their values.

    Raises:
        UsageError: a column is named twice.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"{text!r} names column `{twice}` twice. A row has one value there: name each column once."
        raise UsageError(msg)
    return values


def _check_named(spec: PipelineSpec, text: str, pairs: list[tuple[str, str, str]], columns: Collection[str]) -> None:
    """Refuse values that all look like columns with values, some of them misspelt: no row would have them."""
    unknown = [name for name, _, _ in pairs if name.strip() not in columns]
    if not unknown or not all(sign and value and _COLUMN.fullmatch(name) for name, sign, value in pairs):
        return
    keyed = next(d.key for d in spec.destinations if d.key)
    msg = (
        f"{text!r} names no column of `{spec.name}` as `{unknown[0]}`. {allowed(unknown[0], sorted(columns))} If it is "
        f"a value of the key that holds `=`, name its column: `{keyed[0]}={text}`."
    )
    raise UsageError(msg)


def _equals(column: str, kind: str, text: str) -> str:
    """A comparison without a cast of the column, where there is one: DuckDB then skips what cannot hold the value."""
    if kind == "VARCHAR":
        return f"{column} = {literal(text)}"
    if family(kind) in {"text", "nested", "other"}:
        return f"cast({column} as varchar) = {literal(text)}"
    return f"{column} = try_cast({literal(text)} as {kind})"
