"""A folder of YAML files to a catalog, all errors of all files at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_pipelines.errors import SpecError
from platform_pipelines.spec.capable import Connectors
from platform_pipelines.spec.catalog import Catalog, find_root
from platform_pipelines.spec.connector import ConnectorSpec
from platform_pipelines.spec.names import asset_name
from platform_pipelines.spec.nearest import show
from platform_pipelines.spec.normalize import as_mapping
from platform_pipelines.spec.parse import parse
from platform_pipelines.spec.place import CONNECTORS, Place, files_in, place_of, shown
from platform_pipelines.spec.problems import Problems, raise_all
from platform_pipelines.spec.reader import CheckTransform, PipelineReader
from platform_pipelines.spec.tree import Mapping, lines_of, located, plain
from platform_pipelines.spec.triggers import check_triggers

if TYPE_CHECKING:
    from collections.abc import Collection

    from platform_pipelines.spec.connector import CapabilitiesOf
    from platform_pipelines.spec.pipeline import PipelineSpec


def load_catalog(
    defs: Path,
    capabilities: CapabilitiesOf | None = None,
    *,
    check_transform: CheckTransform | None = None,
    deep: bool = False,
) -> Catalog:
    """Read every YAML file below ``defs``.

    Args:
        defs: folder with one file per pipeline, and ``connectors.yaml`` in it or above (see ``place``).
        capabilities: what a connector type can do; without it, connectors are checked by name only.
        check_transform: raises SpecError for a transform that can never work.
        deep: parse SQL texts too; slower.

    Raises:
        SpecErrors: everything that is wrong, each with file and line.
        SpecError: there is no such folder.
    """
    defs = Path(defs)
    if not defs.is_dir():
        msg = (
            f"The folder of pipelines {str(defs)!r} does not exist. Create it, or set PIPELINES_DEFS to the right one."
        )
        raise SpecError(msg)
    errors: list[SpecError] = []
    place = place_of(defs)
    saved, unread = _load_connectors(place.folder, capabilities, errors)
    reader = PipelineReader(Connectors(saved, capabilities, place, unread), check_transform, deep=deep)
    for path in pipeline_files(defs):
        if _is_stray(path):
            errors.append(_stray(path, place))
        else:
            reader.read_file(path, shown(path))
    check_triggers(reader.pipelines, reader.problems, reader.lines.keys())
    raise_all([*errors, *reader.errors()])
    return Catalog(find_root(Path.cwd()), defs, saved, dict(sorted(reader.pipelines.items())))


def load_connectors(folder: Path, capabilities: CapabilitiesOf | None = None) -> dict[str, ConnectorSpec]:
    """The saved connectors of ``connectors.yaml`` in ``folder``, by name; none if there is no such file.

    Raises:
        SpecErrors: everything that is wrong, with lines.
    """
    errors: list[SpecError] = []
    saved, _ = _load_connectors(Path(folder), capabilities, errors)
    raise_all(errors)
    return saved


def pipeline_from_config(
    config: dict[str, Any], catalog: Catalog | None = None, capabilities: CapabilitiesOf | None = None
) -> PipelineSpec:
    """A pipeline from a mapping with the keys of the YAML, in either form.

    Args:
        config: the pipeline.
        catalog: where saved connectors are looked up; None allows inline ones only.
        capabilities: see :func:`load_catalog`.

    Raises:
        SpecErrors: everything that is wrong.
    """
    reader = PipelineReader(Connectors(catalog.connectors if catalog else {}, capabilities))
    spec = reader.read_tree(located(config), None)
    raise_all(reader.errors())
    assert spec is not None  # noqa: S101 - without errors there is a pipeline
    return spec


def pipeline_from_file(
    path: Path, catalog: Catalog | None = None, capabilities: CapabilitiesOf | None = None
) -> PipelineSpec:
    """A pipeline from one YAML file.

    Without a catalog, connectors are looked up in a ``connectors.yaml`` beside the file, if there is one.

    Raises:
        SpecErrors: everything that is wrong, with lines.
    """
    path = Path(path)
    errors: list[SpecError] = []
    saved, unread = (catalog.connectors, ()) if catalog else _load_connectors(path.parent, capabilities, errors)
    reader = PipelineReader(Connectors(saved, capabilities, unread=unread))
    spec = reader.read_file(path, shown(path))
    raise_all([*errors, *reader.errors()])
    assert spec is not None  # noqa: S101 - without errors there is a pipeline
    return spec


def pipeline_files(defs: Path) -> list[Path]:
    """Every YAML file but the connectors', hidden files and folders left out, sorted."""
    found = []
    for folder, folders, files in os.walk(defs, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        connectors = CONNECTORS if Path(folder) == defs else ()
        yaml = (name for name in files if name.endswith((".yaml", ".yml")) and not name.startswith("."))
        found += [Path(folder) / name for name in yaml if name not in connectors]
    return sorted(found)


def _is_stray(path: Path) -> bool:
    """Whether a file below the top of a folder of pipelines holds connections, not a pipeline."""
    if path.name not in CONNECTORS:
        return False
    try:
        tree = parse(path.read_bytes(), shown(path))
    except (SpecError, OSError):
        return True
    return not isinstance(tree, Mapping) or "source" not in tree


def _stray(path: Path, place: Place) -> SpecError:
    msg = (
        f"Connections are read from {place.file} alone, so that a name means one connection; this file is not read. "
        "Move what it holds there, under names that are not taken."
    )
    return SpecError(msg, file=shown(path), line=1)


def _load_connectors(
    folder: Path, capabilities: CapabilitiesOf | None, errors: list[SpecError]
) -> tuple[dict[str, ConnectorSpec], Collection[str] | None]:
    """The saved connectors, and the names of those that cannot be understood; None where the whole file cannot be."""
    saved, problems = read_connectors(folder)
    for name, spec in saved.items():
        Connectors(saved, capabilities).check_config(spec, problems, name)
    errors += problems.errors
    if isinstance(problems.tree, Mapping):
        return saved, problems.tree.keys() - saved.keys()
    return saved, None if problems.errors else ()


def read_connectors(folder: Path) -> tuple[dict[str, ConnectorSpec], Problems]:
    """The saved connectors of a folder, and what is wrong with their file; what their types can do is not looked at."""
    files = files_in(folder)
    problems = Problems(shown(files[0]) if files else None)
    if len(files) > 1:
        problems.add(f"There is also {files[1].name}. Keep one of the two.")
    saved: dict[str, ConnectorSpec] = {}
    try:
        tree = problems.tree = parse(files[0].read_bytes(), shown(files[0])) if files else None
        named = None if tree is None else as_mapping(tree, "a mapping of names to connectors", problems)
        for name, config in named.items() if named else ():
            _add_connector(saved, name, config, problems)
    except SpecError as error:
        problems.caught(error)
    except OSError as error:
        problems.add(f"The file cannot be read: {error.strerror}. Mend its permissions.")
    return saved, problems


def _add_connector(saved: dict[str, ConnectorSpec], name: str, config: Any, problems: Problems) -> None:  # noqa: ANN401
    try:
        asset_name(name)
    except ValueError as error:
        problems.add(str(error), name)
    if not isinstance(config, Mapping) or not isinstance(config.get("type"), str):
        found = "" if isinstance(config, Mapping) else f", not {show(type(config).__name__)}"
        problems.add(
            f"Connector `{name}` must be a mapping with a `type`{found}. Write `{name}: {{type: files, …}}`.", name
        )
        return
    line = problems.tree.lines[name]
    saved[name] = ConnectorSpec(name, config["type"], plain(config), problems.file, line, lines_of(config))
