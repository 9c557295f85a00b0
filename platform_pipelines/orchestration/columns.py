"""Column schemas for Dagster's Columns tab, known once a run has seen the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.spec.rules import Required, Unique

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_pipelines.engine import Context
    from platform_pipelines.model import Feed
    from platform_pipelines.spec import PipelineSpec

#: columns that the engine keeps for itself
INTERNAL = "_pipelines_"


def landed_schema(context: Context, feed: Feed) -> pa.Schema | None:
    """The schema of the feed's last landed batch, if there is one."""
    log = context.log(feed)
    epoch = log.live_epoch()
    last = None if epoch is None else log.last(epoch)
    return None if last is None else last.schema


def validated_schema(context: Context, feed: Feed) -> pa.Schema | None:
    """The schema of the rows that the feed's last verdict lets through, if there is one."""
    log = context.log(feed)
    epoch = log.live_epoch()
    sealed = sorted(log.sealed(epoch)) if epoch is not None else []
    verdict = log.verdict(epoch, sealed[-1]) if epoch is not None and sealed else None
    return None if verdict is None else verdict.schema


def visible(schema: pa.Schema) -> list[str]:
    """The names of the columns that belong to the data."""
    return [name for name in schema.names if not name.startswith(INTERNAL)]


def table_schema(schema: pa.Schema, spec: PipelineSpec | None = None) -> dg.TableSchema:
    """Columns with their Arrow types; where rules of ``spec`` hold them so, not NULL and unique."""
    required, unique = _held(spec) if spec is not None else (frozenset(), frozenset())
    columns = []
    for name in visible(schema):
        field = schema.field(name)
        constraints = dg.TableColumnConstraints(nullable=field.nullable and name not in required, unique=name in unique)
        columns.append(dg.TableColumn(name=name, type=str(field.type), constraints=constraints))
    return dg.TableSchema(columns=columns)


def _held(spec: PipelineSpec) -> tuple[frozenset[str], frozenset[str]]:
    rules = [rule for rule in spec.quality.rules if rule.severity == "error"]
    required = frozenset(name for rule in rules if isinstance(rule, Required) for name in rule.fields)
    # unique fields hold together, and within a batch: only a single one says something of a column
    singles = [rule.fields[0] for rule in rules if isinstance(rule, Unique) and len(rule.fields) == 1]
    return required, frozenset(singles)
