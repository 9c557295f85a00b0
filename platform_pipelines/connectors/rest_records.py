"""Where the records of an answer are, and whether the answer is an error in disguise."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import InvalidData
from platform_pipelines.http.masking import excerpt, mask_text
from platform_pipelines.spec.nearest import allowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_pipelines.connectors.rest_models import RestStream
    from platform_pipelines.connectors.rest_paths import Path
    from platform_pipelines.http.exchange import Response

_log = logging.getLogger(__name__)
#: keys under which errors usually stand
_USUAL = ("error", "errors")


@dataclass(slots=True)
class Exploded:
    """Whether any record of a read had the field to explode: a misspelt one is in none.

    Attributes:
        records: records met.
        met: whether one of them had it.
        fields: what one of those that had it not has instead.
    """

    records: int = 0
    met: bool = False
    fields: tuple[str, ...] = ()

    def see(self, record: Mapping[str, Any], name: str) -> None:
        """Take notice of a record."""
        self.records += 1
        if name in record:
            self.met = True
        elif not self.fields:
            self.fields = tuple(record)

    def warn(self, stream: str, name: str | None) -> None:
        """Say so at the end of a read in which it never occurred."""
        if name is not None and self.records and not self.met:
            _log.warning(
                "No record of `%s` has the field `%s` that `explode` names (%d records): each became one row. %s",
                stream,
                name,
                self.records,
                allowed(name, self.fields).replace("Allowed", "Fields"),
            )


class Records:
    """Finds the records of one stream's answers.

    Args:
        spec: the stream.
        exploded: what is known of the field to explode.

    Attributes:
        path: where they are; None until the first answer showed it.
    """

    def __init__(self, spec: RestStream, exploded: Exploded) -> None:
        self._spec = spec
        self._exploded = exploded
        self.path: Path | None = spec.records

    def find(self, document: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
        """The array of records; an object in its place is one record.

        Raises:
            LookupError: there is none.
        """
        assert self.path is not None  # noqa: S101 - the first answer showed it
        found = self.path.find(document)
        if isinstance(found, list) and (found or self._spec.empty_when_missing or not self.path.misses(document)):
            return found
        if isinstance(found, dict):
            return [found]
        if found is None and (self._spec.empty_when_missing or self._is_null(document)):
            return []
        what = "nothing" if not found else f"{type(found).__name__}, which is no array"
        msg = f"`{self.path}` leads to {what}"
        raise LookupError(msg)

    def exploded(self, records: list[Any]) -> list[Any]:
        """One record for each element of the array to explode; one with null where it has none."""
        name = self._spec.explode or ""
        found: list[Any] = []
        for record in records:
            if isinstance(record, dict):
                self._exploded.see(record, name)
            elements = record.get(name) if isinstance(record, dict) else None
            if isinstance(elements, list) and elements:
                found.extend({**record, name: element} for element in elements)
            elif isinstance(record, dict):
                found.append({**record, name: None if isinstance(elements, list) else elements})
            else:
                found.append(record)
        return found

    def check_error(self, document: Any, count: int, response: Response) -> None:  # noqa: ANN401 - any JSON value
        """Refuse an answer of status 200 that tells of an error.

        Raises:
            InvalidData: it does: as declared, or by the usual keys where it has no record.
        """
        declared = self._spec.error
        if declared is not None:
            value = declared.path.find(document)
            fine = value in declared.ok if declared.ok is not None else not value
            if not fine:
                shown = declared.message.find(document) if declared.message else None
                raise InvalidData(self._said(response, f"{declared.path} = {value!r}", shown))
        elif not count and isinstance(document, dict):
            for name in _USUAL:
                if document.get(name):
                    raise InvalidData(self._said(response, f"`{name}` and no record", None))

    def _said(self, response: Response, what: str, shown: Any) -> str:  # noqa: ANN401 - any JSON value
        body = mask_text(str(shown)) if shown is not None else excerpt(response.content)
        todo = "" if self._spec.error else " If that is none, say how errors look: `error: {path: …, ok: […]}`."
        said = f"with an error in its body ({mask_text(what)}): {body}"
        return f"{response.shown_url} answered {response.status} {said}.{todo}"

    def _is_null(self, document: Any) -> bool:  # noqa: ANN401 - any JSON value
        """Whether the records are there and null, which is an empty page."""
        if self.path is not None and self.path.keys is None:
            return self.path.holds_null(document)
        keys = self.path.keys if self.path else None
        if not keys:
            return False
        for key in keys[:-1]:
            document = document.get(key) if isinstance(document, dict) else None
        return isinstance(document, dict) and keys[-1] in document
