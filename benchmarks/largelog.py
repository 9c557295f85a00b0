"""A landing log as it is after years: one real run, and as many copies of its batch as are asked for."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
from typing import TYPE_CHECKING

from platform_pipelines.engine import RunRequest, open_project, run
from platform_pipelines.model import Feed
from platform_pipelines.store import FeedLog

if TYPE_CHECKING:
    from pathlib import Path

CONNECTORS = """
drops: {type: files, root: in, format: csv}
console: {type: logger}
"""
PIPELINE = """
name: {name}
source: {{connector: drops, stream: orders.csv, mode: incremental, cursor: {{field: updated_at, timezone: UTC}}}}
quality: {{rules: [{{id: positive, type: range, field: amount, min: 0}}]}}
{partitions}destinations: [{{name: console, connector: console, table: {name}, mode: append}}]
"""
HOURLY = "partitions: {by: hour, field: updated_at, start: 2010-01-01}\n"
_FIRST_HOUR = dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
#: links to one file; file systems end at 65,000 and more
_LINKS = 50_000


def project(base: Path, *, dead: int = 1, partitioned: bool = False) -> Path:
    """A project of one pipeline that was run once, on a file with so many wrong rows; its feed's folder."""
    (base / "defs").mkdir()
    (base / "in").mkdir()
    (base / "workspace.yaml").write_text("")
    (base / "defs" / "connectors.yaml").write_text(CONNECTORS)
    text = PIPELINE.format(name="orders", partitions=HOURLY if partitioned else "")
    (base / "defs" / "orders.yaml").write_text(text)
    with (base / "in" / "orders.csv").open("w") as file:
        file.write("id,amount,updated_at\n0,5,2010-01-01T00:00:00Z\n")
        file.writelines(f"{i + 1},-1,2010-01-01T00:00:00Z\n" for i in range(dead))
    with contextlib.chdir(base):  # relative paths lie under the current folder
        opened = open_project(base / "defs", base / "store")
        run(opened, RunRequest(pipeline="orders", partitions=("2010-01-01-00:00",) if partitioned else None))
    (folder,) = (base / "store" / "orders" / "feeds").iterdir()
    return folder


def add_batches(feed: Path, batches: int) -> None:
    """Copies of the feed's first batch, up to so many, all of them loaded."""
    epoch = feed / "e000001"
    manifest = json.loads((epoch / "000001.json").read_bytes())
    verdict = json.loads((epoch / "000001.verdict.json").read_bytes())
    for sequence in range(2, batches + 1):
        manifest["sequence"] = verdict["sequence"] = sequence
        (epoch / f"{sequence:06d}.json").write_text(json.dumps(manifest))
        (epoch / f"{sequence:06d}.verdict.json").write_text(json.dumps(verdict))
    FeedLog(feed, Feed("orders")).sweep()  # what every run does first
    (offset,) = (feed / "offsets").iterdir()
    offset.write_text(json.dumps(json.loads(offset.read_bytes()) | {"sequence": batches}))


def add_partitions(feed: Path, partitions: int) -> None:
    """Copies of the first hour's feed under the names of the hours after it, up to so many feeds."""
    base = feed
    for number in range(1, partitions):
        key = (_FIRST_HOUR + number * dt.timedelta(hours=1)).strftime("%Y-%m-%d-%H:%M")
        copy = feed.with_name(feed.name.replace("2010-01-01-00:00", key))
        fresh = number % _LINKS == 0
        shutil.copytree(base, copy, copy_function=shutil.copyfile if fresh else os.link)  # committed files never change
        base = copy if fresh else base
        written = (_FIRST_HOUR + number * dt.timedelta(hours=1)).timestamp()
        for folder in (*(path for path in copy.iterdir() if path.is_dir()), copy):
            os.utime(folder, (written, written))
