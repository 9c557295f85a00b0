"""The landing log: manifests, batches, verdicts, dead letters, run records.

The log is the platform's only memory. What is read and when, and what happens
with a batch, is left to the engine.
"""

from platform_pipelines.store.feedlog import FeedLog
from platform_pipelines.store.manifest import DataFile, Manifest
from platform_pipelines.store.store import Store
from platform_pipelines.store.verdict import Verdict

__all__ = ["DataFile", "FeedLog", "Manifest", "Store", "Verdict"]
