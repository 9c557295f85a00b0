"""Arrow's compute functions by their names, for what every run does.

``pyarrow.compute`` offers them as functions of Python, with signatures and texts
that it puts together each time it is imported: 0.03 CPU seconds, of 0.5 that a run
with nothing new takes. Whoever needs more than a few of them imports that one.
"""

from __future__ import annotations

from typing import Any


def call(name: str, *values: Any) -> Any:  # noqa: ANN401 - arrays, batches, scalars: what the function takes and gives
    """The result of one of Arrow's compute functions, with its default options.

    See https://arrow.apache.org/docs/cpp/compute.html#available-functions.

    Raises:
        pyarrow.ArrowKeyError: there is no such function.
        pyarrow.ArrowInvalid: it does not take such values.
    """
    from pyarrow._compute import call_function

    return call_function(name, list(values))
