from __future__ import annotations

import pytest

from platform_pipelines.errors import SpecError
from platform_pipelines.isolated.language import MODULES, compile_text

REFUSED = [
    ("import os\nreturn record", "line 1: `import os` is not allowed. Allowed: base64, collections, "),
    ("x = 1\nimport json, subprocess\nreturn record", "line 2: `import subprocess` is not allowed"),
    ("from os import path\nreturn record", "line 1: `import os` is not allowed"),
    ("from . import secrets\nreturn record", "line 1: `import .` is not allowed"),
    ("from urllib import request\nreturn record", "line 1: `import urllib` is not allowed"),
    ("import urllib.request\nreturn record", "line 1: `import urllib.request` is not allowed"),
    ("from json import *\nreturn record", "line 1: `from json import *` is not allowed"),
    ("from json import codecs\nreturn record", "line 1: `codecs` of `json` is not available here"),
    ("from functools import update_wrapper\nreturn record", "`update_wrapper` of `functools` is not available here"),
    ("if True:\n  import socket\nreturn record", "line 2: `import socket` is not allowed"),
    ("def f():\n  import ctypes\nreturn record", "line 2: `import ctypes` is not allowed"),
    ("open('/etc/passwd')\nreturn record", "line 1: `open` is not available here"),
    ("x = eval('1')\nreturn record", "`eval` is not available here"),
    ("exec('1')\nreturn record", "`exec` is not available here"),
    ("compile('1', '', 'exec')\nreturn record", "`compile` is not available here"),
    ("getattr(record, 'x')\nreturn record", "`getattr` is not available here"),
    ("setattr(record, 'x', 1)\nreturn record", "`setattr` is not available here"),
    ("vars()\nreturn record", "`vars` is not available here"),
    ("globals()\nreturn record", "`globals` is not available here"),
    ("print(record)\nreturn record", "`print` is not available here"),
    ("x = __import__('os')\nreturn record", "the name `__import__` is not allowed"),
    ("x = __builtins__\nreturn record", "the name `__builtins__` is not allowed"),
    ("x = ().__class__\nreturn record", "the attribute `__class__` is not allowed"),
    ("x = (i for i in [1]).gi_frame\nreturn record", "the attribute `gi_frame` is not allowed"),
    ("def g():\n  yield 1\nx = g().gi_code\nreturn record", "line 3: the attribute `gi_code` is not allowed"),
    (
        "try:\n  1/0\nexcept Exception as e:\n  t = e.__traceback__.tb_frame\nreturn record",
        "line 4: the attribute `__traceback__` is not allowed; line 4: the attribute `tb_frame`",
    ),
    ("from re import __class__ as meta\nreturn record", "`__class__` of `re` is not available here"),
    ("from re import mro\nreturn record", "`mro` of `re` is not available here"),
    (
        "from collections import abc\nabc.Sequence.register(dict)\nreturn record",
        "the attribute `register` is not allowed",
    ),
    (
        "match '{0.x}':\n  case str(format=f):\n    return f(1)\nreturn record",
        "line 2: the attribute `format` is not allowed in a pattern",
    ),
    ("x = str.mro()\nreturn record", "the attribute `mro` is not allowed"),
    (
        "match record:\n  case dict(__class__=c):\n    return c\nreturn record",
        "the attribute `__class__` is not allowed",
    ),
    ("import json\njson.loads = None\nreturn record", "line 2: the attribute `loads` cannot be set"),
    ("import json\ndel json.loads\nreturn record", "line 2: the attribute `loads` cannot be set"),
    ("import json\nfor json.loads in [1]: pass\nreturn record", "line 2: the attribute `loads` cannot be set"),
    ("import json as __x\nreturn record", "the name `__x` is not allowed"),
    ("def __f(): pass\nreturn record", "the name `__f` is not allowed"),
    ("class X: pass\nreturn record", "`class` is not allowed; use a function or a dict"),
    ("async def f(): pass\nreturn record", "`async` is not allowed"),
    ("global seen\nreturn record", "`global` is not allowed: records know nothing of each other"),
    ("yield record", "`yield` is not allowed here"),
    ("x = 1", "line 1: nothing is returned; end with `return record`"),
    ("def f():\n  return 1", "nothing is returned"),
    ("return record[", "line 1: this is no Python"),
    ("return record\n  x", "line 2: this is no Python: unexpected indent"),
    ("nonlocal x\nreturn record", "this is no Python"),
    (
        "from zoneinfo import ZoneInfo\nZoneInfo.clear_cache()\nreturn record",
        "the attribute `clear_cache` is not allowed",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_a_text_may_not_say_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_text(text)
    assert message in str(caught.value)


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        compile_text("import os\nopen('x')\nreturn record.__class__")
    assert str(caught.value).count("line ") == 3


@pytest.mark.parametrize("module", MODULES)
def test_every_allowed_module_can_be_imported(module: str) -> None:
    assert compile_text(f"import {module}\nreturn record").modules == (module,)


def test_names_of_modules_can_be_imported_alone() -> None:
    text = "from urllib import parse\nfrom collections import abc, Counter\nfrom datetime import datetime as d\nreturn record"
    assert compile_text(text).modules == ("collections", "collections.abc", "datetime", "urllib.parse")


USAGE = [
    ("record['a'] = record.get('b', 1)\nreturn record", {"a", "b"}, True),
    ("if 'a' in record and record['b']: return None\nreturn record", {"a", "b"}, True),
    ("del record['a']\nrecord['n'] += 1\nrecord.setdefault('d', 1)\nreturn record", {"a", "n", "d"}, True),
    ("return {'x': record['a']}", {"a"}, False),
    ("def f(v): return v * 2\nrecord['a'] = f(record['a'])\nreturn record", {"a"}, True),
    ("return record", set(), True),
    ("return {**record}", None, False),
    ("record.update(a=1)\nreturn record", None, False),
    ("for k in record: pass\nreturn record", None, False),
    ("record = {}\nreturn record", None, False),
    ("name = 'a'\nrecord[name] = 1\nreturn record", None, False),
    ("f = lambda: record['a']\nreturn record", None, False),
    ("f = lambda record: 1\nreturn record", None, False),
    ("other = record\nreturn record", None, False),
    ("if record['a']: return {'a': 1}\nreturn record", None, False),
    ("import json as record\nreturn record", None, False),
    ("match 1:\n  case record: pass\nreturn record", None, False),
]


@pytest.mark.parametrize(("text", "columns", "passes"), USAGE)
def test_which_columns_a_text_can_touch(text: str, columns: set[str] | None, passes: bool) -> None:  # noqa: FBT001 - a column of the table above
    usage = compile_text(text).usage
    assert (usage.columns, usage.passes) == (columns, passes)
