"""What the YAML of ``map`` says of its output columns. Building them is left to ``map``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import SpecError
from platform_pipelines.transforms import calling, converters
from platform_pipelines.transforms.step import mapping, within

if TYPE_CHECKING:
    from platform_pipelines.convert import Converter

KEYS = ("from", "convert", "default", *converters.SETTINGS)


@dataclass(frozen=True, slots=True)
class Output:
    """One output column as declared.

    Attributes:
        name: its name; with dots, a field inside a column.
        path: where its value comes from.
        convert: how it is converted, step by step.
        said: these converters as the YAML names them.
        defaulted: whether a default is declared.
        default: a scalar, or None for NULL.
    """

    name: str
    path: str
    convert: tuple[Converter | converters.Call, ...] = ()
    said: str = ""
    defaulted: bool = False
    default: Any = None


def parse(body: Any) -> list[Output]:  # noqa: ANN401 - any YAML value
    """The output columns, in their order.

    Raises:
        SpecError: a key, a converter or a name can never work.
    """
    found = [_placed(name, value) for name, value in mapping(body, "`map`").items()]
    taken = [tuple(output.name.lower().split(".")) for output in found]
    for at, parts in enumerate(taken):
        clash = next((each for each in taken[:at] if each[: len(parts)] == parts or parts[: len(each)] == each), None)
        if clash is not None:
            name = found[at].name
            msg = f"`map` writes `{name}` and `{found[taken.index(clash)].name}`, of which one is the other, or in it."
            raise SpecError(msg)
        if "" in parts:
            msg = f"`map.{found[at].name}` is no column: a name, or names with a dot between each, is allowed."
            raise SpecError(msg)
    return found


def load_functions(body: Any) -> None:  # noqa: ANN401 - any YAML value
    """Import the functions that are named as converters.

    Raises:
        SpecError: one cannot be imported, or returns what no column can hold.
    """
    for output in parse(body):
        for each in output.convert:
            if isinstance(each, converters.Call):
                calling.load(each.path)


def _placed(name: str, value: Any) -> Output:  # noqa: ANN401 - any YAML value
    with within(name):
        return _one(name, value)


def _one(name: str, value: Any) -> Output:  # noqa: ANN401 - any YAML value
    if value is None:
        return Output(name, name)
    if isinstance(value, str) and value:
        return Output(name, value)
    where = f"`map.{name}`"
    known = mapping(value, where, KEYS)
    path, written = known.get("from") or name, known.get("convert")
    if not isinstance(path, str):
        msg = f"{where}: `from` must be a text, not {path!r}."
        raise SpecError(msg)
    return Output(
        name,
        path,
        convert=converters.parse(where, known),
        said=written if isinstance(written, str) else ", ".join(written or ()),
        defaulted="default" in known,
        default=_scalar(name, known.get("default")),
    )


def _scalar(name: str, default: Any) -> Any:  # noqa: ANN401 - any YAML value
    if default is None or isinstance(default, bool | int | float | str | Decimal | dt.date):
        return default
    msg = f"`map.{name}.default` must be a text, a number, true, false or null, not {default!r}."
    raise SpecError(msg)
