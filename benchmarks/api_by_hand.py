"""Child process: a paged JSON API fetched by httpx and decoded by orjson, and nothing more. Argument: its URL."""

from __future__ import annotations

import json
import sys
import time

import httpx
import orjson

started = time.perf_counter()
rows, cursor = 0, "0"
with httpx.Client() as client:
    while cursor is not None:
        page = orjson.loads(client.get(f"{sys.argv[1]}/trips", params={"cursor": cursor}).content)
        rows += len(page["data"])
        cursor = page["next_cursor"]
print(json.dumps({"seconds": time.perf_counter() - started, "loaded": rows}))
