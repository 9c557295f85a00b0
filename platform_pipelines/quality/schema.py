"""The built-in rules as one pandera schema, to be used, extended and exported by users.

The engine does not need it: rules run in DuckDB, which is faster. A property test
holds the two to the same verdicts. NULL semantics are those of the rules: NULL
passes all but ``required``; an empty text and NaN are values.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import SpecError
from platform_pipelines.quality import rowcheck
from platform_pipelines.quality.usercheck import load_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd

    from platform_pipelines.spec.quality import QualitySpec
    from platform_pipelines.spec.rules import ForeignKey, Freshness, RuleSpec

_FRAME_RULES = {"unique", "condition", "volume", "freshness"}
_LEFT_OUT = {"anomaly", "reconciliation"}


def to_pandera(quality: QualitySpec, references: Mapping[str, Iterable[Any]] | None = None) -> Any:  # noqa: ANN401 - pandera is not typed
    """Compile the rules to one ``pandera.pandas.DataFrameSchema``.

    Each check bears the id of its rule. Rules of severity warning and info warn
    (``raise_warning``). ``unique`` keeps the first row, for a schema knows no
    cursor; ``freshness`` compares with the clock when the schema is used. Left out
    is what needs more than the rows: ``anomaly``, ``reconciliation``, and ``unique``
    with a ``scope``.

    Args:
        quality: the rules.
        references: for each foreign key, by its rule's id, the values that exist.

    Raises:
        SpecError: the values of a foreign key are not given.
    """
    import pandera.pandas as pandera

    by_column: dict[str, list[Any]] = {}
    frame_checks = []
    for rule in quality.rules:
        if rule.type in _LEFT_OUT or (rule.type == "unique" and rule.scope is not None):
            continue
        check = _check(rule, references or {})
        fields = list(getattr(rule, "fields", ())) or [name for name in [getattr(rule, "field", None)] if name]
        for name in fields:
            by_column.setdefault(name, [])
        if rule.type in _FRAME_RULES or not fields:
            frame_checks.append(check)
        else:
            for name in fields:
                by_column[name].append(check)
    columns = {name: pandera.Column(None, checks=checks, nullable=True) for name, checks in by_column.items()}
    return pandera.DataFrameSchema(columns, checks=frame_checks)


def _check(rule: RuleSpec, references: Mapping[str, Iterable[Any]]) -> Any:  # noqa: ANN401 - pandera is not typed
    import pandera.pandas as pandera

    warns = rule.severity != "error"
    if rule.type == "pandera":
        own = load_check(rule)
        own.name = own.error = rule.id
        own.raise_warning = warns
        return own
    verdict = _verdict(rule, references)
    return pandera.Check(verdict, name=rule.id, error=rule.id, ignore_na=False, raise_warning=warns)


def _verdict(rule: RuleSpec, references: Mapping[str, Iterable[Any]]) -> Callable[[Any], Any]:
    if rule.type == "volume":
        return lambda frame: len(frame) >= rule.min_rows
    if rule.type == "freshness":
        return lambda frame: _fresh(rule, frame[rule.field])
    if rule.type == "condition":
        return lambda frame: rowcheck.condition(rule, frame)
    if rule.type == "unique":
        return lambda frame: rowcheck.unique(rule, frame)
    known = _values(rule, references) if rule.type == "foreign_key" else ()
    return lambda series: rowcheck.passes(rule, series, known)


def _values(rule: ForeignKey, references: Mapping[str, Iterable[Any]]) -> list[Any]:
    if rule.id not in references:
        msg = f"Foreign key `{rule.id}` needs the values that exist: pass references={{{rule.id!r}: values}}."
        raise SpecError(msg)
    return list(references[rule.id])


def _fresh(rule: Freshness, series: pd.Series[Any]) -> bool:
    moments = [moment for moment in map(rowcheck.moment, rowcheck.python_values(series)) if moment is not None]
    return bool(moments) and dt.datetime.now(dt.UTC) - max(moments) <= dt.timedelta(seconds=rule.max_age)
