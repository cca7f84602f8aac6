"""Text that people write, as HTML: a safe subset of Markdown (no HTML, no pictures, links to pages only)."""

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_SCHEMES = frozenset({"http", "https", "mailto", ""})
_BELOW_WIDGET_TITLES = 3
_LOWEST = 6


@lru_cache(maxsize=256)
def prose(text: str) -> Markup:
    return Markup(_reader().render(text))  # noqa: S704


@lru_cache(maxsize=1)
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 12}).disable("image")
    reader.validateLink = _leads_to_a_page  # type: ignore[method-assign]
    reader.core.ruler.push("headings", lambda state: _lower(state.tokens))
    return reader


def _leads_to_a_page(url: str) -> bool:
    try:
        return urlsplit(url.strip()).scheme.lower() in _SCHEMES
    except ValueError:
        return False


def _lower(tokens: Sequence[Token]) -> None:
    """Headings stand below the title of their widget; a table of contents reads on."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(_LOWEST, int(token.tag[1]) + _BELOW_WIDGET_TITLES - 1)}"
