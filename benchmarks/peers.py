"""The same work by other tools, where a folder holds their environments: ``BENCH_PEERS/{dlt,sling,ingestr}``.

How to make them is in the README of this folder. They check nothing and keep no
log; what each got wrong on changing data is not measured here.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.rounds import Candidate

_QUIET = {
    "DISABLE_TELEMETRY": "1",
    "INGESTR_DISABLE_TELEMETRY": "true",
    "SLING_DISABLE_TELEMETRY": "TRUE",
    "SLING_DUCKDB_COMPUTE": "FALSE",
}
#: tried, and not waited for each time
_ENDLESS = frozenset({("sling", "parquet_to_postgres")})
_FROM_POSTGRES = frozenset({"postgres_to_parquet", "postgres_merge"})


def peers(work: str, dsn: str, data: Path, folder: Path | None = None) -> list[Candidate]:
    """The candidates for one work; those that are not installed say so. ``folder`` keeps their state between runs."""
    candidates = []
    for name, command in (("dlt", _dlt), ("sling", _sling), ("ingestr", _ingestr)):
        binary = _binary(name)
        if binary is None:
            candidates.append(Candidate(name, missing="not installed"))
            continue
        if (name, work) in _ENDLESS:
            candidates.append(Candidate(name, missing="did not finish within 240 s"))
            continue
        home = None if folder is None else folder / name
        if home is not None:
            home.mkdir(parents=True, exist_ok=True)
        environment = _QUIET | {"PG": f"{dsn}?sslmode=disable", "SLING_HOME_DIR": str(home or data / "sling")}
        candidates.append(Candidate(name, command(binary, work, dsn, data), environment, folder=home))
    return candidates


def _binary(name: str) -> Path | None:
    root = Path(os.environ.get("BENCH_PEERS", "peers")).absolute()
    if name == "sling":
        return next(root.glob("sling/lib/python*/site-packages/sling_linux_amd64/bin/sling*"), None)
    found = root / name / "bin" / ("python" if name == "dlt" else name)
    return found if found.is_file() else None


def _dlt(binary: Path, work: str, dsn: str, data: Path) -> list[str | Path]:
    return [binary, Path(__file__).with_name("peer_dlt.py"), work, dsn, data]


def _sling(binary: Path, work: str, dsn: str, data: Path) -> list[str | Path]:
    del dsn
    if work == "postgres_to_parquet":
        target = ["--tgt-object", f"file://{data}/sling.parquet", "--mode", "full-refresh"]
    elif work == "postgres_merge":
        target = ["--tgt-conn", "PG", "--tgt-object", "dst.sling_merged", "--mode", "incremental"]
        target += ["--primary-key", "id", "--update-key", "updated_at"]
    else:
        target = ["--tgt-conn", "PG", "--tgt-object", f"dst.sling_{work}", "--mode", "full-refresh"]
    source = ["--src-conn", "PG", "--src-stream", "src.trips"]
    if work not in _FROM_POSTGRES:
        source = ["--src-stream", f"file://{_file(work, data)}"]
    return [binary, "run", *source, *target]


def _ingestr(binary: Path, work: str, dsn: str, data: Path) -> list[str | Path]:
    postgres = f"{dsn}?sslmode=disable"
    source = ["--source-uri", postgres, "--source-table", "src.trips"]
    if work not in _FROM_POSTGRES:
        kind = "csv" if work == "csv_to_postgres" else "parquet"
        source = ["--source-uri", f"{kind}://{_file(work, data)}", "--source-table", "trips"]
    target = ["--dest-uri", postgres, "--dest-table", f"dst.ingestr_{work}"]
    if work == "postgres_to_parquet":
        target = ["--dest-uri", f"parquet://{data}/ingestr.parquet", "--dest-table", "trips"]
    if work == "postgres_merge":
        target += ["--incremental-strategy", "merge", "--incremental-key", "updated_at", "--primary-key", "id"]
    return [binary, "ingest", "--yes", "--progress", "log", *source, *target]


def _file(work: str, data: Path) -> Path:
    return data / "dirty" / "trips.csv" if work == "csv_to_postgres" else data / "trips.parquet"
