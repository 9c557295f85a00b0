"""How one value is hidden, and how the YAML says so.

The formats, for a value's text ``v`` in UTF-8 and a salt ``s``; they do not change:

- ``sha256``: the SHA-256 of ``s + v`` (of ``v`` without a salt), 64 lower-case hex digits.
- ``redact``: ``***``.
- ``keep_last``: ``***`` and the last ``n`` characters; ``***`` alone for a value of ``n``
  characters or fewer, so that it is never shown whole.
- ``tokenize``: the prefix (``tok_``) and the first 32 hex digits of the HMAC-SHA256 of ``v``
  with the key ``s`` (RFC 2104).

The text of a value is what the converter ``string`` makes of it: JSON for a nested one.
Salts are secrets: they are resolved when a batch is masked, and travel to DuckDB as
variables of one connection, never inside SQL.
NULL semantics: NULL stays NULL.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.convert import as_text
from platform_pipelines.duck import literal
from platform_pipelines.errors import SecretError, SpecError
from platform_pipelines.relations import unused_name
from platform_pipelines.spec.nearest import allowed
from platform_pipelines.spec.secrets import has_reference, resolve
from platform_pipelines.transforms.step import mapping, within

if TYPE_CHECKING:
    import duckdb

#: keys that each way takes beside ``how``
WAYS: dict[str, tuple[str, ...]] = {
    "sha256": ("salt",),
    "redact": (),
    "keep_last": ("n",),
    "tokenize": ("salt", "prefix"),
}
_ALIASES = {"tokenise": "tokenize"}
_BLOCK = 64
_TOKEN_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Way:
    """How one column is hidden.

    Attributes:
        how: one of ``WAYS``.
        salt: a secret reference, unresolved; None for none.
        n: characters that ``keep_last`` shows.
        prefix: what tokens begin with.
    """

    how: str
    salt: str | None = None
    n: int = 4
    prefix: str = "tok_"


def parse(column: str, written: Any) -> Way:  # noqa: ANN401 - any YAML value
    """Read what the YAML says of one column.

    Raises:
        SpecError: no such way, a key it does not take, or a salt that is missing or written out.
    """
    with within(column):
        return _way(column, written)


def _way(column: str, written: Any) -> Way:  # noqa: ANN401 - any YAML value
    body = dict(mapping(written, f"`mask.{column}`")) if isinstance(written, dict) else {"how": written}
    how = body.pop("how", None)
    how = _ALIASES.get(how, how) if isinstance(how, str) else how
    if how not in WAYS:
        msg = f"Unknown mask {how!r} for `{column}`. {allowed(how, WAYS)}"
        raise SpecError(msg)
    if body:
        mapping(body, f"`mask.{column}`", WAYS[how] or ("how",))
    way = Way(how, **body)
    _check_values(column, way)
    return way


def expression(connection: duckdb.DuckDBPyConnection, way: Way, value: str, duck_type: str) -> str:
    """SQL of the hidden value of ``value``, an SQL expression of type ``duck_type``.

    Raises:
        SecretError: the salt does not resolve, or is empty.
    """
    text = as_text(value, duck_type)
    if way.how == "redact":
        return f"case when {value} is not null then '***' end"
    if way.how == "keep_last":
        shown = f"case when length({text}) > {way.n} then right({text}, {way.n}) else '' end"
        return f"case when {value} is not null then '***' || {shown} end"
    if way.how == "tokenize":
        digest = _hmac(connection, _salt(way), f"encode({text})")
        return f"{literal(way.prefix)} || left({digest}, {_TOKEN_DIGITS})"
    if way.salt is None:
        return f"sha256({text})"
    return f"sha256({_variable(connection, _salt(way))} || {text})"


def _check_values(column: str, way: Way) -> None:
    where = f"`mask.{column}`"
    if isinstance(way.n, bool) or not isinstance(way.n, int) or way.n < 1:
        msg = f"{where}: `n` must be a number of characters, 1 or more, not {way.n!r}."
        raise SpecError(msg)
    if not isinstance(way.prefix, str):
        msg = f"{where}: `prefix` must be a text, not {way.prefix!r}."
        raise SpecError(msg)
    if way.how == "tokenize" and way.salt is None:
        msg = (
            f"{where}: `tokenize` needs a salt, else tokens can be guessed. Write "
            '{how: tokenize, salt: "${env://MASK_SALT}"}.'
        )
        raise SpecError(msg)
    if way.salt is not None and not (isinstance(way.salt, str) and has_reference(way.salt)):
        msg = (
            f'{where}: `salt` must be a secret reference such as "${{env://MASK_SALT}}"; it may not stand in the YAML.'
        )
        raise SpecError(msg)


def _salt(way: Way) -> str:
    salt: str = resolve(way.salt)
    if not salt:
        msg = f"The salt {way.salt} of a mask is empty, so it hides nothing. Set it to a long random text."
        raise SecretError(msg)
    return salt


def _variable(connection: duckdb.DuckDBPyConnection, value: str | bytes) -> str:
    name = unused_name("salt")
    connection.execute(f"set variable {name} = $1", [value])
    return f"getvariable({literal(name)})"


def _hmac(connection: duckdb.DuckDBPyConnection, key: str, message: str) -> str:
    """Hex digits of an HMAC-SHA256 (RFC 2104): the hash of the outer pad and the hash of the inner pad and message."""
    raw = key.encode()
    raw = (hashlib.sha256(raw).digest() if len(raw) > _BLOCK else raw).ljust(_BLOCK, b"\0")
    inner, outer = (_variable(connection, bytes(byte ^ pad for byte in raw)) for pad in (0x36, 0x5C))
    return f"sha256({outer} || unhex(sha256({inner} || {message})))"
