"""``Pipeline``: declared by YAML or by a mapping, run in this process."""

from __future__ import annotations

import dataclasses
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from platform_pipelines.api.callbacks import Callbacks
from platform_pipelines.api.listener import Listener
from platform_pipelines.api.records import RunRecords
from platform_pipelines.api.result import RunResult
from platform_pipelines.connectors.memory import MemoryConnector
from platform_pipelines.connectors.registry import capabilities, check_config
from platform_pipelines.engine import Project, RunRequest, run
from platform_pipelines.errors import UsageError
from platform_pipelines.spec.catalog import Catalog, find_root
from platform_pipelines.spec.connector import ConnectorSpec
from platform_pipelines.spec.loader import load_connectors, pipeline_from_config, pipeline_from_file
from platform_pipelines.spec.place import files_in
from platform_pipelines.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from platform_pipelines.spec import PipelineSpec

#: the connector that takes the source's place where rows are given
_GIVEN = "given_rows"
#: the source of a pipeline that declares none
_NO_SOURCE = {"connector": {"type": "memory", "space": _GIVEN}, "stream": _GIVEN}


class Pipeline:
    """One pipeline and where its batches land.

    Attributes:
        spec: the pipeline as declared.
        project: its connectors and the landing log.
    """

    def __init__(self, spec: PipelineSpec, project: Project) -> None:
        self.spec = spec
        self.project = project
        self._space = f"given-{uuid.uuid4().hex}"

    def __repr__(self) -> str:
        """The name, for notebooks."""
        return f"Pipeline({self.spec.name!r})"

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.spec.name

    @classmethod
    def from_yaml(cls, path: str | Path, *, store: str | Path | None = None) -> Pipeline:
        """A pipeline from a YAML file.

        Saved connectors are looked up in the nearest ``connectors.yaml``, beside the file or above it.

        Args:
            path: the file.
            store: where batches land; default ``PIPELINES_STORE``, else ``.pipelines/store``.

        Raises:
            SpecError: the file cannot be read or declares something impossible; names file and line.
        """
        file = Path(path).expanduser()
        folders = file.absolute().parents
        folder = next((f for f in folders if files_in(f)), folders[0])
        catalog = Catalog(find_root(Path.cwd()), folder, load_connectors(folder, capabilities))
        return cls._of(pipeline_from_file(file, catalog, capabilities), catalog, store)

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        *,
        connectors: Mapping[str, Mapping[str, Any]] | None = None,
        store: str | Path | None = None,
    ) -> Pipeline:
        """A pipeline from a mapping with the keys of the YAML, in the canonical or the short form.

        Without ``source``, the rows are those given to :meth:`run`, each call's in addition to earlier ones.

        Args:
            config: the pipeline; connectors may be written inline, ``{"type": …}``.
            connectors: saved connectors by name, as in ``connectors.yaml``.
            store: where batches land; default ``PIPELINES_STORE``, else ``.pipelines/store``.

        Raises:
            SpecError: something impossible is declared.
        """
        root = find_root(Path.cwd())
        saved = {name: _connector(name, value) for name, value in (connectors or {}).items()}
        catalog = Catalog(root, root, saved)
        spec = pipeline_from_config({"source": _NO_SOURCE, **config}, catalog, capabilities)
        if "source" not in config:
            # rows are pushed, not pulled: each run's are one more batch of the same epoch
            spec = spec.model_copy(update={"source": spec.source.model_copy(update={"mode": "stream"})})
        return cls._of(spec, catalog, store)

    def run(  # noqa: PLR0913 - named options, each with a default
        self,
        data: list[dict[str, Any]] | pd.DataFrame | pa.Table | None = None,
        callbacks: Callbacks | Mapping[str, Any] | object | None = None,
        *,
        partitions: Sequence[str] | None = None,
        window: tuple[str, str] | None = None,
        full_refresh: bool = False,
        decision: Literal["release", "discard"] | None = None,
        allow_destructive: bool = False,
    ) -> RunResult:
        """Run the pipeline once: land what is new, validate it, load it.

        A run that fails returns a result whose ``status`` and ``errors`` say so.

        Args:
            data: rows to read instead of the source.
            callbacks: told of each record and batch; see :class:`Callbacks`.
            partitions: partition keys; by default the pipeline chooses, as on the command line.
            window: ``(from, to)``, half-open: partitions by time, or a cursor window to read again.
            full_refresh: read everything anew and replace what was loaded.
            decision: ``release`` or ``discard`` the batch that the gate holds.
            allow_destructive: columns at destinations may be dropped or narrowed.

        Raises:
            UsageError: the arguments make no sense for this pipeline; nothing was done.
        """
        request = RunRequest(
            pipeline=self.name,
            partitions=tuple(partitions) if partitions else None,
            window_from=window[0] if window else None,
            window_to=window[1] if window else None,
            full_refresh=full_refresh,
            decision=decision,
            allow_destructive=allow_destructive,
        )
        return self._run(data, callbacks, request)

    def _run(self, data: Any, callbacks: object, request: RunRequest) -> RunResult:  # noqa: ANN401 - see ``_reading``
        project = self._reading(data)
        records = RunRecords(project, self.spec, request.token)
        try:
            if callbacks is None:
                return RunResult(run(project, request), records)
            listener = Listener(Callbacks.of(callbacks), records)
            report = run(project, dataclasses.replace(request, progress=listener))
        finally:
            MemoryConnector.clear(self._space)
        listener.close()
        return RunResult(report, records)

    def _reading(self, data: Any) -> Project:  # noqa: ANN401 - rows come in many forms
        """The project of one run; with rows, a memory connector takes the source's place."""
        source = self.spec.source
        if data is None:
            if source.stream == _GIVEN:
                msg = f"Pipeline `{self.name}` declares no source. Give the rows: `run(data=[{{…}}, …])`."
                raise UsageError(msg)
            return self.project
        MemoryConnector.put(source.stream, _table(data), self._space)
        given = source.model_copy(update={"connector": _GIVEN, "options": {}})
        spec = self.spec.model_copy(update={"source": given})
        return dataclasses.replace(
            self.project,
            catalog=dataclasses.replace(self.project.catalog, pipelines={spec.name: spec}),
            connectors={**self.project.connectors, _GIVEN: MemoryConnector(space=self._space)},
        )

    @classmethod
    def _of(cls, spec: PipelineSpec, catalog: Catalog, store: str | Path | None) -> Pipeline:
        location = store or os.environ.get("PIPELINES_STORE") or Store.DEFAULT_PATH
        own = dataclasses.replace(catalog, pipelines={spec.name: spec})
        return cls(spec, Project(catalog=own, store=Store(location, catalog.root), root=catalog.root))


def _connector(name: str, config: Mapping[str, Any]) -> ConnectorSpec:
    spec = ConnectorSpec(name, str(config.get("type")), dict(config))
    check_config(spec)
    return spec


def _table(data: Any) -> Any:  # noqa: ANN401 - rows come in many forms
    """Rows in a form the memory connector takes; a DataFrame's index is no column."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        import pyarrow as pa

        return pa.Table.from_pandas(data, preserve_index=False).replace_schema_metadata(None)
    return data if hasattr(data, "__arrow_c_stream__") else [dict(row) for row in data]
