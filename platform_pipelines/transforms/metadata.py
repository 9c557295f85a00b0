"""Field metadata (such as ``pg_type``) across transforms.

DuckDB drops Arrow field metadata; columns that pass unchanged get it back here.
Which columns pass unchanged is found by ``chain``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


def carry_metadata(before: pa.Schema, after: pa.Schema, origins: Mapping[str, str] | None = None) -> pa.Schema:
    """The schema ``after`` with the field metadata of ``before``.

    Args:
        before: schema of the landed rows.
        after: schema of the transformed rows.
        origins: unchanged columns, ``{name in after: name in before}``; None
            takes columns of equal name and type for unchanged.
    """
    import pyarrow as pa

    fields = []
    for field in after:
        name = field.name if origins is None else origins.get(field.name)
        known = before.field(name) if name is not None and before.get_field_index(name) >= 0 else None
        if known is None or not known.metadata or (origins is None and known.type != field.type):
            fields.append(field)
        else:
            fields.append(field.with_metadata(_copy(known.metadata)))
    return pa.schema(fields, metadata=_copy(after.metadata) if after.metadata else None)


def _copy(metadata: Mapping[bytes, bytes]) -> dict[bytes | str, bytes | str]:
    return dict[bytes | str, bytes | str](metadata.items())
