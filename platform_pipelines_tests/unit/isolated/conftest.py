from __future__ import annotations

import marshal
from typing import Any

import pytest

from platform_pipelines.isolated import syscalls
from platform_pipelines.isolated.language import Program
from platform_pipelines.isolated.limits import Limits
from platform_pipelines.isolated.process import Sandbox
from platform_pipelines.isolated.usage import Usage
from platform_pipelines.transforms.record_columns import packed, sent
from platform_pipelines.transforms.record_values import read_answer

if not syscalls.program():
    pytest.skip("no libseccomp on this system", allow_module_level=True)

#: a way out of the language, by walking over classes: what follows has the whole interpreter
CLIMB = """
def climb():
    for each in ().__class__.__base__.__subclasses__():
        if each.__name__ == '_wrap_close':
            return each.__init__.__globals__
inside = climb()
sys, os = inside['sys'], inside['sys'].modules['os']
builtins = sys.modules['builtins']
ctypes = sys.modules['ctypes']
"""


def raw(source: str, modules: tuple[str, ...] = ()) -> Program:
    """A program that nobody has looked over: what a hole in the language would let through."""
    return Program(marshal.dumps(compile(CLIMB + source, "<transform>", "exec")), modules, Usage(None, passes=False))


class Ran:
    """What became of one chunk of records."""

    def __init__(self, values: list[Any], failed: dict[int, str]) -> None:
        self.values = values
        self.failed = failed


def run(program: Program, records: list[str], limits: Limits | None = None) -> Ran:
    """Run records ``{'x': text}`` through a child, and read the field ``x`` of what comes back."""
    import pyarrow as pa

    columns = [sent("x", "VARCHAR")]
    headers, buffers = packed(columns, pa.table({"value 0": pa.array(records, pa.string())}))
    chunk = {"rows": len(records), "columns": headers}, buffers
    with Sandbox(program, limits or Limits()) as sandbox:
        ((header, parts),) = sandbox.answers([chunk])
    answer = read_answer(header, parts, len(records))
    found = {column.name: column.array for column in answer.columns}
    array = found.get("x")
    return Ran(records if array is None else array.to_pylist(), answer.failed)


@pytest.fixture
def small() -> Limits:
    return Limits(cpu_seconds=1, memory_bytes=256_000_000)
