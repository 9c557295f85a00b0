"""How text files are written: the options that readers and writers of files share.

What a file's folder is called and which format it has is left to the connector.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*(\(\s*\d+\s*(,\s*\d+\s*)?\))?(\[\])*")


def _is_type(types: Mapping[str, str]) -> Mapping[str, str]:
    for column, name in types.items():
        if not _TYPE.fullmatch(name.strip()):
            msg = f"{name!r} of column {column!r} is not a SQL type. Write it like string, bigint, decimal(10,2), date"
            raise ValueError(msg)
    return types


def _is_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        msg = f"unknown encoding {name!r}. Write it like utf-8, utf-16, latin-1, cp1252"
        raise ValueError(msg) from error


def _as_text(values: Any) -> Any:  # noqa: ANN401 - any YAML value
    return (
        [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values]
        if isinstance(values, list | tuple)
        else values
    )


class TextOptions(BaseModel):
    """Options of text files; all have a default.

    Attributes:
        null_values: unquoted fields that mean NULL.
        quoted_nulls: whether a quoted field may mean NULL as well.
        delimiter: one character between fields.
        quote: the character that encloses fields; doubled inside them. Empty for none.
        header: whether the first record holds the column names.
        names: column names where there is no header.
        encoding: of the bytes.
        types: SQL types by column; these win over what was landed before and over inference.
        date_format: strptime pattern of dates; ISO 8601 without one.
        timestamp_format: strptime pattern of timestamps; ISO 8601 without one.
        compression: ``auto`` goes by the file's name when reading and writes none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    null_values: Annotated[tuple[str, ...], BeforeValidator(_as_text)] = ("",)
    quoted_nulls: bool = False
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', max_length=1)
    header: bool = True
    names: tuple[str, ...] = ()
    encoding: Annotated[str, AfterValidator(_is_encoding)] = "utf-8"
    types: Annotated[Mapping[str, str], AfterValidator(_is_type)] = Field(default_factory=dict)
    date_format: str | None = None
    timestamp_format: str | None = None
    compression: Literal["auto", "none", "gzip", "zstd"] = "auto"

    @property
    def null(self) -> str:
        """What is written for NULL."""
        return self.null_values[0] if self.null_values else ""

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        if self.delimiter == self.quote:
            msg = f"`delimiter` and `quote` are both {self.quote!r}. Give another character to one of them"
            raise ValueError(msg)
        for name in ("delimiter", "quote"):
            if getattr(self, name) in {"\n", "\r", "\0"}:
                msg = f"`{name}` cannot be {getattr(self, name)!r}, which ends records or text. Give another character"
                raise ValueError(msg)
        for text in self.null_values:
            if any(each and each in text for each in (self.delimiter, self.quote, "\n", "\r", "\0")):
                msg = (
                    f"{text!r} of `null_values` can be no field: it holds a delimiter, a quote or a line end. Remove it"
                )
                raise ValueError(msg)
        return self

    def unwritable(self) -> str | None:
        """Why CSV of these options can be read and not written; None if it can."""
        for name in ("delimiter", "quote"):
            if not getattr(self, name).isascii():
                return f"CSV is not written with the {name} {getattr(self, name)!r}. Give `{name}` an ASCII character."
        if self.quote == " ":
            return (
                "CSV is not written with a space as `quote`: fields may begin and end with one. Give another character."
            )
        return None

    def with_overrides(self, options: Mapping[str, Any]) -> TextOptions:
        """These options with some replaced; ``types`` are merged by column.

        Raises:
            pydantic.ValidationError: an option is unknown or its value not allowed.
        """
        types = {**self.types, **options.get("types", {})}
        return type(self).model_validate({**self.model_dump(exclude_unset=True), **options, "types": types})
