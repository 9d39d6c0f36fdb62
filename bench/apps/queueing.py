"""A queue whose truth is known: one slot, first come, first served, so many milliseconds a request.

    python queueing.py HOST PORT SERVICE_MS BOUND

Beyond BOUND requests in the queue it refuses with 503 at once. It never looks whether a client is still there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

from targets.served import Served

SERVICE_S, BOUND = float(sys.argv[3]) / 1000, int(sys.argv[4])
SERVED = Served(os.environ["GATEBENCH_SERVED"]) if "GATEBENCH_SERVED" in os.environ else None
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


async def main() -> None:
    """Serve for ever."""
    slot, waiting = asyncio.Lock(), 0

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                if waiting >= BOUND:  # a refusal is no work, and is not counted
                    writer.write(REFUSAL)
                    await writer.drain()
                    continue
                if SERVED:
                    SERVED.begun()
                waiting += 1
                async with slot:
                    await asyncio.sleep(SERVICE_S)
                waiting -= 1
                if SERVED:
                    SERVED.finished()
                writer.write(ANSWER)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(client, sys.argv[1], int(sys.argv[2]), backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
