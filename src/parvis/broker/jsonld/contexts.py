"""Where @contexts come from: the wheel, the request itself, or another host; each is read once, kept within bounds."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from parvis.broker.jsonld.context import Context, Terms
from parvis.broker.jsonld.names import Recent
from parvis.kernel.errors import BadRequestData, LdContextNotAvailable, ParvisError

ContextFetcher = Callable[[str], Awaitable[bytes]]
"""Gets a URL's body; raises any exception where that fails. Guards against private addresses are its own."""

CORE_URL: Final = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
PARVIS_URL: Final = "https://parvis.eu/ngsi-ld/context/v1.jsonld"
CORE_FILE: Final = "ngsi-ld-core-v1.9.jsonld"
PARVIS_FILE: Final = "parvis-v1.jsonld"
MAX_CONTEXT_BYTES: Final = 1_000_000
MAX_INLINE_BYTES: Final = 200_000
MAX_NESTING: Final = 8
MAX_LOCAL_CONTEXTS: Final = 64

_CORE = re.compile(r"https?://uri\.etsi\.org/ngsi-ld/v1/ngsi-ld-core-context(-v1\.\d{1,2})?\.jsonld")
_PACKAGED: Mapping[str, str] = {PARVIS_URL: PARVIS_FILE}


def is_core(url: str) -> bool:
    """All versions of the core context are served by the newest: a later one only adds terms (annex B)."""
    return _CORE.fullmatch(url) is not None


@cache
def packaged(name: str) -> bytes:
    return files("parvis.broker.jsonld").joinpath("contexts", name).read_bytes()


class Contexts:
    """Gives the Context of a user's @context value.

    `core` is the core context alone, `default` the one Parvis itself writes in. Fetched documents are kept up to
    `max_bytes` together, ready contexts up to `max_terms` together; the least recently used go first.
    """

    def __init__(
        self, fetch: ContextFetcher | None = None, *, max_bytes: int = 10_000_000, max_terms: int = 100_000
    ) -> None:
        self._fetch = fetch
        self._documents: Recent[str, Any] = Recent(max_bytes)
        self._ready: Recent[bytes, Context] = Recent(max_terms)
        self._under_way: dict[str, asyncio.Task[Any]] = {}
        self.core = _build([], CORE_URL)
        self.default = _build([_document(packaged(_PACKAGED[PARVIS_URL]), PARVIS_URL)], PARVIS_URL)
        self._fixed = {None: self.core, CORE_URL: self.core, PARVIS_URL: self.default}

    def find(self, value: Any) -> Context | None:
        """The context if it is ready: no waiting, for hot paths."""
        if value is None or isinstance(value, str):
            fixed = self._fixed.get(value)
            if fixed is not None:
                return fixed
        return self._ready.find(msgspec.json.encode(value))

    async def resolve(self, value: Any) -> Context:
        """The context of a @context value: a URL, an object, or an array of both; None is the core context.

        Raises:
            BadRequestData: it is no @context.
            LdContextNotAvailable: a URL in it cannot be read.
            OperationNotSupported: it uses @import.
        """
        ready = self.find(value)
        if ready is not None:
            return ready
        key = msgspec.json.encode(value)
        if len(key) > MAX_INLINE_BYTES:
            raise BadRequestData(f"The @context is longer than {MAX_INLINE_BYTES} bytes: publish it and give its URL.")
        context = _build(await self._flatten(value, 0), value)
        self._ready.put(key, context, len(context))
        return context

    async def _flatten(self, value: Any, depth: int) -> list[dict[str, Any]]:
        if depth > MAX_NESTING:
            raise BadRequestData(f"The @context leads through more than {MAX_NESTING} other contexts.")
        if isinstance(value, str):
            return [] if is_core(value) else await self._flatten(await self._load(value), depth + 1)
        if isinstance(value, dict):
            return [value]
        if not isinstance(value, list):
            raise BadRequestData(f"A @context is a URL, an object, or an array of these, not {value!r:.80}.")
        flat: list[dict[str, Any]] = []
        for part in value:
            flat += await self._flatten(part, depth + 1)
            if len(flat) > MAX_LOCAL_CONTEXTS:
                raise BadRequestData(f"The @context consists of more than {MAX_LOCAL_CONTEXTS} parts.")
        return flat

    async def _load(self, url: str) -> Any:
        if url in _PACKAGED:
            return _document(packaged(_PACKAGED[url]), url)
        document = self._documents.find(url)
        if document is not None:
            return document
        task = self._under_way.get(url)
        if task is None:
            task = self._under_way[url] = asyncio.ensure_future(self._read(url))
            task.add_done_callback(lambda _: self._under_way.pop(url, None))
        return await asyncio.shield(task)

    async def _read(self, url: str) -> Any:
        if self._fetch is None or not url.startswith(("http://", "https://")):
            raise LdContextNotAvailable(f"The @context {url[:200]!r} cannot be fetched here.")
        try:
            body = await self._fetch(url)
        except ParvisError as refusal:
            raise LdContextNotAvailable(f"The @context {url[:200]!r} cannot be had: {refusal.detail}") from refusal
        except Exception as failure:
            raise LdContextNotAvailable(
                f"The @context {url[:200]!r} cannot be had: {type(failure).__name__}."
            ) from failure
        document = _document(body, url)
        self._documents.put(url, document, len(body))
        return document


def _document(body: bytes, url: str) -> Any:
    if len(body) > MAX_CONTEXT_BYTES:
        raise LdContextNotAvailable(f"The @context {url} is longer than {MAX_CONTEXT_BYTES} bytes.")
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as failure:
        raise LdContextNotAvailable(f"What {url} gives is no JSON.") from failure
    if not isinstance(decoded, dict) or "@context" not in decoded:
        raise LdContextNotAvailable(f"What {url} gives has no @context member.")
    return decoded["@context"]


def _build(locals_: list[dict[str, Any]], source: Any) -> Context:
    terms = Terms()
    for local in [*locals_, _document(packaged(CORE_FILE), CORE_URL)]:
        terms.add(local)
    return Context(terms, source)
