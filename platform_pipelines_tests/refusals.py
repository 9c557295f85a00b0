"""What a check says, as a value that a test can compare: a text, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec

from platform_pipelines.errors import PipelinesError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


def refusal(check: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> str | None:
    """The message of the error of ours that a call ends with; None where it comes to its end."""
    try:
        check(*args, **kwargs)
    except PipelinesError as error:
        return str(error)
    return None
