"""Where @contexts come from: the wheel, the request itself, or another host; each is read once, kept within bounds."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final

import msgspec

from parvis.broker.jsonld.context import Context, Terms
from parvis.broker.jsonld.kept import KeptContexts, cached_id, hosted_id
from parvis.broker.jsonld.names import Recent, check_uri
from parvis.kernel.errors import BadRequestData, LdContextNotAvailable, Overloaded, ParvisError

ContextFetcher = Callable[[str], Awaitable[bytes]]
"""Gets a URL's body; raises any exception where that fails. Guards against private addresses are its own."""

CORE_URL: Final = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
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


class _Ready(msgspec.Struct, frozen=True):
    """`kept` are the local ids of the kept contexts it is made of."""

    context: Context
    kept: tuple[str, ...]


class _Parts:
    """What a @context value comes to, while it is followed. `is_private`: only its tenant may have it."""

    def __init__(self) -> None:
        self.locals: list[dict[str, Any]] = []
        self.kept: list[str] = []
        self.is_private = False

    def add(self, local: dict[str, Any]) -> None:
        self.locals.append(local)
        if len(self.locals) > MAX_LOCAL_CONTEXTS:
            raise BadRequestData(f"The @context consists of more than {MAX_LOCAL_CONTEXTS} parts.")


class Contexts:
    """Gives the Context of a user's @context value.

    `core` is what requests that name no @context are read in (5.5.7), `parvis` the platform's own vocabulary. Fetched
    documents are kept up to `max_bytes` together, ready contexts up to `max_terms` together; the least recently used
    go first. `kept` outlives the process: what was fetched once is there without network.
    """

    def __init__(
        self,
        fetch: ContextFetcher | None = None,
        kept: KeptContexts | None = None,
        *,
        max_bytes: int = 10_000_000,
        max_terms: int = 100_000,
    ) -> None:
        self._fetch = fetch
        self.kept = kept
        self._documents: Recent[str, Any] = Recent(max_bytes)
        self._ready: Recent[bytes, _Ready] = Recent(max_terms)
        self._under_way: dict[str | tuple[str, str], asyncio.Task[Any]] = {}
        self.core = _build([], CORE_URL)
        self.parvis = _build([_document(packaged(_PACKAGED[PARVIS_URL]), PARVIS_URL)], PARVIS_URL)
        self._fixed = {None: self.core, CORE_URL: self.core, PARVIS_URL: self.parvis}

    async def run(self) -> None:
        """Write down what is used, until cancelled."""
        if self.kept is not None:
            await self.kept.run()

    def find(self, value: Any, tenant: str = "") -> Context | None:
        """The context if it is ready: no waiting, for hot paths."""
        if value is None or isinstance(value, str):
            fixed = self._fixed.get(value)
            if fixed is not None:
                return fixed
        ready = self._ready.find(msgspec.json.encode(value))
        return self._use(ready, tenant) if ready is not None and self._has_all(tenant, ready) else None

    async def resolve(self, value: Any, tenant: str = "") -> Context:
        """The context of a @context value: a URL, an object, or an array of both; None is the core context.

        `tenant` has contexts of its own (5.13); without one there are only those of other hosts.

        Raises:
            BadRequestData: it is no @context, or what a URL in it gives is none.
            LdContextNotAvailable: a URL in it cannot be read.
            OperationNotSupported: it uses @import.
        """
        context = self.find(value, tenant)
        if context is not None:
            return context
        key = msgspec.json.encode(value)
        if len(key) > MAX_INLINE_BYTES:
            raise BadRequestData(f"The @context is longer than {MAX_INLINE_BYTES} bytes: publish it and give its URL.")
        parts = _Parts()
        await self._follow(value, tenant, parts, 0)
        if parts.is_private:
            key = tenant.encode() + b" " + key
        ready = self._ready.find(key)
        if ready is None:
            ready = _Ready(_build(parts.locals, value), tuple(parts.kept))
            self._ready.put(key, ready, len(ready.context))
        return self._use(ready, tenant)

    async def addressable(self, context: Context, tenant: str, base: str) -> Context:
        """The same with an address for a source: below `base` where it was written out (5.13.1).

        Raises TooManyContexts.
        """
        if isinstance(context.source, str) or self.kept is None:
            return context
        one = await self.kept.keep_written_out(tenant, context.source)
        return context.sourced(f"{base}/jsonldContexts/{one.local_id}")

    def check(self, value: Any) -> None:
        """Raises BadRequestData for what can be no @context, whatever its URLs give; OperationNotSupported."""
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, str):
                check_uri(part, "The URL of a @context")
            elif not isinstance(part, dict):
                raise _no_context(part)
        _build([part for part in parts if isinstance(part, dict)], value)

    async def reload(self, url: str, tenant: str) -> None:
        """Fetch it anew; where that fails it stays as it was. Raises LdContextNotAvailable, BadRequestData."""
        document = await self._read(url)
        if self.kept is not None:
            await self.kept.keep_fetched(tenant, url, document)
        self._ready.clear()

    def forget(self, url: str) -> None:
        self._documents.drop(url)
        self._ready.clear()

    def _has_all(self, tenant: str, ready: _Ready) -> bool:
        """Another tenant may have made it ready: then this one's own list of @contexts lacks the parts of it."""
        return not tenant or self.kept is None or all(self.kept.is_noted(tenant, part) for part in ready.kept)

    def _use(self, ready: _Ready, tenant: str) -> Context:
        if ready.kept and tenant and self.kept is not None:
            self.kept.count(tenant, ready.kept)
        return ready.context

    async def _follow(self, value: Any, tenant: str, parts: _Parts, depth: int) -> None:
        if depth > MAX_NESTING:
            raise BadRequestData(f"The @context leads through more than {MAX_NESTING} other contexts.")
        if isinstance(value, str):
            if not is_core(value):
                await self._follow(await self._load(value, tenant, parts), tenant, parts, depth + 1)
        elif isinstance(value, dict):
            parts.add(value)
        elif isinstance(value, list):
            for part in value:
                await self._follow(part, tenant, parts, depth + 1)
        else:
            raise _no_context(value)

    async def _load(self, url: str, tenant: str, parts: _Parts) -> Any:
        if url in _PACKAGED:
            return _document(packaged(_PACKAGED[url]), url)
        local_id = hosted_id(url)
        if local_id is not None and self.kept is not None:
            value = await self.kept.find_value(tenant, local_id)
            if value is not None:
                parts.kept.append(local_id)
                parts.is_private = True
                return value
        parts.kept.append(cached_id(url))
        return await self._fetched(url, tenant)

    async def _fetched(self, url: str, tenant: str) -> Any:
        """Documents are shared by all tenants; that it has used one stands in the list of each."""
        if self.kept is None or not tenant:
            return await self._read_once(url)
        document = self._documents.find(url)
        if document is not None and self.kept.is_noted(tenant, cached_id(url)):
            return document
        return await self._once((tenant, url), partial(self._noted, url, tenant, self.kept))

    async def _noted(self, url: str, tenant: str, kept: KeptContexts) -> Any:
        document = self._documents.find(url)
        if document is None:
            document = await self._kept_or_read(url, tenant, kept)
        await kept.note_fetched(tenant, url, document)
        return document

    async def _kept_or_read(self, url: str, tenant: str, kept: KeptContexts) -> Any:
        known = await kept.find_fetched(tenant, url)
        if known is None:
            return await self._read_once(url)
        value, is_old = known
        if is_old:
            with contextlib.suppress(LdContextNotAvailable, BadRequestData, Overloaded):
                value = await self._read_once(url)
                await kept.keep_fetched(tenant, url, value)
        self._documents.put(url, value, len(msgspec.json.encode(value)))
        return value

    async def _read_once(self, url: str) -> Any:
        document = self._documents.find(url)
        return await self._once(url, partial(self._read, url)) if document is None else document

    async def _once(self, key: str | tuple[str, str], begin: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Those that want the same at the same time wait for the same."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.ensure_future(begin())
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
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


def _no_context(value: Any) -> BadRequestData:
    return BadRequestData(f"A @context is a URL, an object, or an array of these, not {value!r:.80}.")


def _document(body: bytes, url: str) -> Any:
    if len(body) > MAX_CONTEXT_BYTES:
        raise LdContextNotAvailable(f"The @context {url} is longer than {MAX_CONTEXT_BYTES} bytes.")
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as failure:
        raise BadRequestData(f"What {url} gives is no JSON.") from failure
    if not isinstance(decoded, dict) or "@context" not in decoded:
        raise BadRequestData(f"What {url} gives has no @context member.")
    return decoded["@context"]


def _build(locals_: list[dict[str, Any]], source: Any) -> Context:
    terms = Terms()
    for local in [*locals_, _document(packaged(CORE_FILE), CORE_URL)]:
        terms.add(local)
    return Context(terms, source)
