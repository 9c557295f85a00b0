"""Objects of a user's own modules, named in the YAML as ``module:name``.

Whether the module can be found is up to ``sys.path``; what the object must be
is checked by the caller that uses it.
"""

from __future__ import annotations

import importlib
from typing import Any

from platform_pipelines.errors import SpecError


def load_object(path: str, purpose: str) -> Any:  # noqa: ANN401 - whatever the user's module holds under this name
    """Import ``module:name``.

    Args:
        path: such as ``my_module:tidy`` or ``package.module:Class.attribute``.
        purpose: what it is wanted for, for the message.

    Raises:
        SpecError: the path is malformed, or module or name do not exist.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        msg = f"{purpose} must be written as `module:name`; {path!r} is not."
        raise SpecError(msg)
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ImportError as error:
        msg = (
            f"{purpose} names {path!r}, but importing `{module_name}` failed: {error}. "
            "Put the module where Python finds it: beside workspace.yaml, on PYTHONPATH, or installed."
        )
        raise SpecError(msg) from error
    except AttributeError as error:
        msg = f"{purpose} names {path!r}, but `{module_name}` has no `{attribute}`."
        raise SpecError(msg) from error
    return found
