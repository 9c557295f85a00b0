"""Exceptions without secrets: what drivers and libraries raised, before anybody prints it with its causes.

A traceback shows every exception of a chain, and notebooks, debuggers and Dagster
print whole chains. Messages of our own are masked where they are written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_pipelines.errors import SpecError
from platform_pipelines.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Iterator


class Scrubbed(Exception):
    """Stands for an exception whose text would have shown a secret; keeps its place and what it said else."""


def scrub(error: BaseException) -> BaseException:
    """The error, and whatever it is chained to, without secrets in their texts.

    Texts are masked in place. An exception that makes up its text by itself gives
    way to :class:`Scrubbed`, with the same traceback.

    Returns:
        The error; another one only where it had to give way.
    """
    for link in list(_chain(error)):
        _mask_texts(link)
        if link.__cause__ is not None:
            link.__cause__ = _stand_in(link.__cause__)
        if link.__context__ is not None:
            link.__context__ = _stand_in(link.__context__)
    return _stand_in(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that it is chained to, each once."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions


def _mask_texts(error: BaseException) -> None:
    given = tuple(mask(each) if isinstance(each, str) else each for each in error.args)
    if given != error.args:
        error.args = given
    if isinstance(error, SpecError):
        error.message = mask(error.message)
    notes = getattr(error, "__notes__", None)
    if notes:
        error.__notes__ = [mask(each) for each in notes]


def _stand_in(error: BaseException) -> BaseException:
    said = str(error)
    shown = mask(said)
    if shown == said:
        return error
    made = Scrubbed(f"{type(error).__name__}: {shown}").with_traceback(error.__traceback__)
    made.__cause__, made.__context__ = error.__cause__, error.__context__
    made.__suppress_context__ = error.__suppress_context__
    return made
