"""Errors as Dagster shows them: masked, with the next step, retried only where that can help."""

from __future__ import annotations

import contextlib
import traceback
from typing import TYPE_CHECKING

import dagster as dg

from platform_pipelines.errors import GateClosed, PipelinesError, RetriableError
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from platform_pipelines.orchestration.stages import Outcome

_SHOWN = 20


def failure(outcomes: Sequence[Outcome]) -> dg.Failure:
    """What a step raises for the feeds that failed.

    A retry is allowed only if one of them met a passing fault: another try with
    the same data and the same rules fails in the same way.
    """
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    partitions = [outcome.feed.partition for outcome in failed if outcome.feed.partition is not None]
    return failure_of([outcome.error for outcome in failed if outcome.error is not None], partitions)


def failure_of(errors: Sequence[Exception], partitions: Sequence[str] = ()) -> dg.Failure:
    """The failure that shows errors, and which partitions they concern."""
    lines = [message(error) for error in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"… and {len(errors) - _SHOWN} more.")
    metadata: dict[str, dg.MetadataValue] = {
        "error_type": dg.MetadataValue.text(", ".join(sorted({type(error).__name__ for error in errors}))),
    }
    if partitions:
        metadata["failed_partitions"] = dg.MetadataValue.json(list(partitions))
    if any(isinstance(error, GateClosed) for error in errors):
        metadata["gate"] = dg.MetadataValue.text("closed")
    surprises = [error for error in errors if not isinstance(error, PipelinesError)]
    if surprises:
        metadata["traceback"] = dg.MetadataValue.md(f"```\n{mask(_trace(surprises[0]))}\n```")
    return dg.Failure(
        description="\n".join(lines),
        metadata=metadata,
        allow_retries=any(isinstance(error, RetriableError) for error in errors),
    )


@contextlib.contextmanager
def masked() -> Iterator[None]:
    """Turn whatever is raised into a failure without secrets.

    Dagster stores an exception with its traceback and everything it is chained to.

    Raises:
        dagster.Failure: the error's text; where it was not foreseen, its traceback too.
    """
    try:
        yield
    except dg.Failure:
        raise
    except Exception as error:  # noqa: BLE001 - all of it is shown, masked
        raise failure_of([error]) from None


def message(error: BaseException) -> str:
    """The error's text without secrets; errors that were not foreseen are named by their type."""
    text = str(error) if isinstance(error, PipelinesError) else f"{type(error).__name__}: {error}"
    return mask(text)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
