"""Readings pushed over HTTP by an operator's platform, which gathers those of a moment into one request."""

import asyncio
import contextlib
import logging

import httpx

from parvis.demo.play.voices import Document

log = logging.getLogger("parvis.demo.player")
PATH = "/api/connectors/httppush"
MOST_AT_ONCE, MOST_WAITING = 200, 5000
PATIENCE_S, LONGEST_PAUSE_S = 20.0, 30.0
TAKEN = (200, 202)


class Pusher:
    """What is not taken is sent again, ever less often; while too much waits, who gives more waits too."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url.rstrip("/") + PATH, key
        self._waiting: asyncio.Queue[Document] = asyncio.Queue(MOST_WAITING)
        self._task: asyncio.Task[None] | None = None
        self.delivered = 0

    async def __aenter__(self) -> "Pusher":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def push(self, document: Document) -> None:
        await self._waiting.put(document)

    async def drain(self) -> None:
        """Waits until everything is taken."""
        await self._waiting.join()

    async def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        async with httpx.AsyncClient(headers=headers, timeout=PATIENCE_S, trust_env=False) as client:
            while True:
                batch = await self._gather()
                await self._deliver(client, batch)
                for _ in batch:
                    self._waiting.task_done()

    async def _gather(self) -> list[Document]:
        batch = [await self._waiting.get()]
        while len(batch) < MOST_AT_ONCE and not self._waiting.empty():
            batch.append(self._waiting.get_nowait())
        return batch

    async def _deliver(self, client: httpx.AsyncClient, batch: list[Document]) -> None:
        pause_s = 1.0
        while not await self._is_taken(client, batch):
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def _is_taken(self, client: httpx.AsyncClient, batch: list[Document]) -> bool:
        try:
            answer = await client.post(self._url, json=[one.body for one in batch])
        except httpx.HTTPError as error:
            log.warning("readings could not be pushed: %r", error)
            return False
        if answer.status_code in TAKEN:
            self.delivered += len(batch)
            return True
        log.warning("readings were not taken: %d %s", answer.status_code, answer.text[:200])
        return answer.status_code < 500 and answer.status_code != 429
