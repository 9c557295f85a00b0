"""Child process: a paged JSON API with all answers made beforehand. Arguments: records, records a page.

Prints its URL. ``/trips?cursor=N`` answers ``{"data": [...], "next_cursor": …}``.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys

EPOCH = 1_767_225_600


def record(i: int, chance: random.Random) -> dict[str, object]:
    second = i // 3
    at = f"2026-01-{1 + second // 86_400:02}T{second // 3_600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
    return {
        "id": i,
        "updated_at": f"{at}Z",
        "pickup_at": at,
        "trip_date": at[:10],
        "vendor": chance.choice(["CMT", "VTS", "DDS"]),
        "zone": f"Zone {chance.randrange(263)} / Süd",
        "email": None if i % 10 == 0 else f"rider{chance.randrange(50_000)}@example.com",
        "passengers": None if i % 20 == 0 else chance.randrange(1, 7),
        "distance": round(chance.uniform(0.1, 30), 2),
        "fare": round(chance.uniform(3, 90), 2),
        "tip": round(chance.uniform(0, 20), 2),
        "is_paid": bool(chance.randrange(2)),
    }


def answers(count: int, size: int) -> dict[bytes, bytes]:
    """The whole answer by the request's path."""
    chance = random.Random(7)  # noqa: S311 - rows of a benchmark
    found = {}
    for start in range(0, count, size):
        rows = [record(i, chance) for i in range(start, min(start + size, count))]
        following = str(start + size) if start + size < count else None
        body = json.dumps({"data": rows, "next_cursor": following}, separators=(",", ":"), ensure_ascii=False).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        found[f"/trips?cursor={start}".encode()] = head.encode() + body
    return {b"/trips": found[b"/trips?cursor=0"], **found}


class Connection(asyncio.Protocol):
    """One client; requests have no body."""

    pages: dict[bytes, bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go to."""
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that came whole."""
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            self.transport.write(self.pages[head.split(b" ", 2)[1]])  # type: ignore[attr-defined]


async def main() -> None:
    Connection.pages = answers(int(sys.argv[1]), int(sys.argv[2]))
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
