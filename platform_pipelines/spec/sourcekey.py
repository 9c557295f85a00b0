"""From which columns of the source the key of the destinations comes.

Deletes by key difference compare keys at both ends of a pipeline, so each key
column must come through the transforms as it is, under whatever name. What
opaque transforms (``sql``, ``function``) do to a key is not known here: they
are taken to keep it, and where they do not, all keys differ and the limit of
``max_share`` stops the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_pipelines.spec.pipeline import PipelineSpec
    from platform_pipelines.spec.transform import TransformSpec


def source_key(spec: PipelineSpec) -> dict[str, str]:
    """``{key column of the destinations: column of the source}``, in the order of the key.

    Raises:
        ValueError: destinations have different keys, or a transform changes one; the text says which.
    """
    first, *others = spec.destinations
    key = first.key
    for other in others:
        if set(other.key) != set(key):
            msg = (
                f"`detect: key_difference` compares one key with the source, and destinations `{first.name}` "
                f"({', '.join(key)}) and `{other.name}` ({', '.join(other.key)}) have two. "
                "Give them the same key, or load one of them by a pipeline of its own."
            )
            raise ValueError(msg)
    return {name: _trace(spec.transforms, name) for name in key}


def _trace(transforms: tuple[TransformSpec, ...], key: str) -> str:
    name = key
    for transform in reversed(transforms):
        if not isinstance(transform.body, dict):
            continue
        if transform.kind == "mask" and name in transform.body:
            raise ValueError(_changed(transform, key))
        if transform.kind == "map" and name in transform.body:
            name = _mapped(transform, key, name, transform.body[name])
    return name


def _mapped(transform: TransformSpec, key: str, name: str, entry: Any) -> str:  # noqa: ANN401 - any YAML value
    known = entry if isinstance(entry, dict) else {"from": entry}
    source = known.get("from") or name
    if not isinstance(source, str) or "." in source or known.get("convert") or known.get("default") is not None:
        raise ValueError(_changed(transform, key))
    return source


def _changed(transform: TransformSpec, key: str) -> str:
    return (
        f"`detect: key_difference` compares key `{key}` with the source, and transform `{transform.label}` changes it. "
        "Pass the key on as it is (a new name is fine), or notice deletes by a field: `deletes: {field: deleted_at}`."
    )
