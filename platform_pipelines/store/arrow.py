"""Arrow schemas as text, for manifests and verdicts."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


#: what reading a damaged JSON body of the landing log may raise, whatever the damage
UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    NotImplementedError,  # pyarrow's, of a type that Arrow does not have
    OSError,
)


def encode_schema(schema: pa.Schema) -> str:
    """The schema in Arrow IPC form, base64."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def decode_schema(text: str) -> pa.Schema:
    """The inverse of :func:`encode_schema`."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
