"""How the files of a table folder are written, noted in its manifest: what a connection says may change between loads.

Which files are written anew for it is left to ``folder`` and ``folder_merge``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from platform_pipelines.formats.options import TextOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: what is said of each attribute
_WORDS = {
    "ending": "the format",
    "delimiter": "the delimiter",
    "quote": "the quote",
    "null": "the text for NULL",
    "columns": "the header",
}
#: what the names of packed files end with, by the option
PACKED = {"gzip": ".gz", "zstd": ".zst"}


@dataclass(frozen=True, slots=True)
class TableForm:
    """The form of a table's files.

    Attributes:
        ending: of their names: parquet, csv, jsonl, csv.gz, …
        delimiter: between the fields of CSV; empty for other formats, as is all that follows.
        quote: encloses fields.
        null: stands for NULL.
        columns: of every file, in order, where files have no header.
    """

    ending: str
    delimiter: str = ""
    quote: str = ""
    null: str = ""
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, file_format: str, options: TextOptions, columns: Sequence[str]) -> TableForm:
        """The form that a connection asks for.

        Args:
            file_format: parquet, csv, jsonl or json (written as JSON Lines).
            options: how text files are written.
            columns: of the table.
        """
        if file_format == "parquet":
            return cls("parquet")
        packed = PACKED.get(options.compression, "")
        if file_format != "csv":
            return cls(f"jsonl{packed}")
        named = () if options.header else options.names or tuple(columns)
        return cls(f"csv{packed}", options.delimiter, options.quote, options.null, named)

    @classmethod
    def noted(cls, content: Mapping[str, Any] | None) -> TableForm | None:
        """The form that a manifest notes; None of a manifest that was written before forms were noted."""
        return None if content is None else cls(**{**content, "columns": tuple(content["columns"])})

    def options(self) -> TextOptions:
        """How to read files of this form; what is packed is told by its name."""
        return TextOptions(
            delimiter=self.delimiter or ",",
            quote=self.quote,
            null_values=(self.null,),
            header=not self.columns,
            names=self.columns,
        )

    def is_of(self, name: str, noted: TableForm | None) -> bool:
        """Whether a live file has this form, by its name and what the manifest notes."""
        return name.partition(".")[2] == self.ending and noted in {None, self}

    def changed(self, name: str, noted: TableForm | None) -> str:
        """In which ways a live file that has another form differs, in words.

        Args:
            name: the file's.
            noted: the form that the manifest notes.
        """
        ending = name.partition(".")[2]
        if ending.partition(".")[0] != self.ending.partition(".")[0]:  # other formats have no other options
            return f"{_WORDS['ending']} was {ending!r} and is {self.ending!r}"
        before = replace(noted or self, ending=ending)
        pairs = ((each.name, getattr(before, each.name), getattr(self, each.name)) for each in fields(self))
        return ", ".join(
            f"{_WORDS[key]} was {_shown(old)} and is {_shown(new)}" for key, old, new in pairs if old != new
        )


def _shown(value: str | tuple[str, ...]) -> str:
    if isinstance(value, str):
        return repr(value) if value else "none"
    return f"none ({', '.join(value)} in this order)" if value else "one"
