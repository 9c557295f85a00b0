"""What an answer says of each record that was sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from platform_pipelines.connectors.http_journal import Outcome
from platform_pipelines.errors import InvalidData
from platform_pipelines.http.masking import excerpt, mask_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from platform_pipelines.connectors.http_models import Results
    from platform_pipelines.connectors.http_records import Record
    from platform_pipelines.http.exchange import Response

_SHOWN = 300


def outcomes_of(response: Response, records: Sequence[Record], results: Results, *, batch: bool) -> list[Outcome]:
    """What became of the records of a request that was answered with success.

    Raises:
        InvalidData: the answer does not say it of each record as declared.
    """
    if (results.ok is None and results.error is None) or (not batch and not response.content.strip()):
        return [Outcome(record.key, "done") for record in records]
    document = response.json()
    found = document if results.path is None else results.path.find(document)
    if not batch:
        found = [found[0] if isinstance(found, list) and found else found]
    if not isinstance(found, list):
        where = f"`{results.path}`" if results.path else "the answer"
        raise InvalidData(_unclear(response, f"{where} is no list of results"))
    said = _matched(response, records, found, results) if results.match and batch else found
    if len(said) != len(records):
        raise InvalidData(_unclear(response, f"it has {len(said)} results for {len(records)} records"))
    return [_outcome(record, result, results) for record, result in zip(records, said, strict=True)]


def refusal(response: Response) -> str:
    """The reason of a request that was refused, on one line."""
    said = excerpt(response.content)
    return f"{response.status}: {said}" if said else f"the API answered {response.status}"


def _outcome(record: Record, result: Any, results: Results) -> Outcome:  # noqa: ANN401 - any JSON value
    error = results.error.find(result) if results.error else None
    if results.ok is None:
        taken = not error  # `error: false` and `code: 0` are none
    else:
        value = results.ok.find(result)
        taken = value in results.values if results.values else bool(value)
    if taken:
        return Outcome(record.key, "done")
    shown = error if error is not None else result
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    return Outcome(record.key, "refused", mask_text(" ".join(text.split()))[:_SHOWN])


def _matched(response: Response, records: Sequence[Record], found: list[Any], results: Results) -> list[Any]:
    """The results in the order of the records."""
    known = {_text(path.find(each) for path in results.match.values()): each for each in found}
    wanted = [_text(record.values.get(column) for column in results.match) for record in records]
    missing = [each for each in wanted if each not in known]
    if missing:
        msg = _unclear(response, f"no result has {', '.join(results.match)} = {', '.join(missing[0])}")
        raise InvalidData(msg)
    return [known[each] for each in wanted]


def _text(values: Any) -> tuple[str, ...]:  # noqa: ANN401 - an iterable of JSON values
    return tuple(each if isinstance(each, str) else json.dumps(each, default=str) for each in values)


def _unclear(response: Response, what: str) -> str:
    return (
        f"{response.shown_url} answered {response.status}, but {what}, so what became of the records is not known. "
        f"Mend `results`; the records are sent again with the same keys. It says: {excerpt(response.content)}"
    )
