"""What our own forms bring."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData
from starlette.requests import Request

from parvis.web.auth import check_form

MOST_FIELDS = 20


@asynccontextmanager
async def form_of(request: Request, most_fields: int = MOST_FIELDS, most_files: int = 0) -> AsyncIterator[FormData]:
    """By our own form. Raises Forbidden."""
    async with request.form(max_files=most_files, max_fields=most_fields) as form:
        check_form(request, form)
        yield form


def text_of(form: FormData, name: str) -> str:
    """Empty where it is not there, or a file."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def words_of(text: str) -> tuple[str, ...]:
    """Between commas or spaces, each once."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))
