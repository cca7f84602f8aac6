"""Answers of a fresh broker against the published OpenAPI description of NGSI-LD, whose newest version is 1.7.1."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.second_checks.instance import Result, fresh_instance
from tests.second_checks.scenario import Call, calls

_DOCUMENT = "urn:openapi"
_NAMES = {"application/ld+json": ("application/ld+json", "application/json+ld")}
"""The description writes one media type the other way round."""


class Description:
    """Raises OSError, yaml.YAMLError."""

    def __init__(self, path: Path) -> None:
        self._document: dict[str, Any] = _lenient(yaml.safe_load(path.read_text(encoding="utf-8")))
        resource = DRAFT202012.create_resource(self._document)
        self._registry: Registry[Any] = Registry().with_resource(_DOCUMENT, resource)

    def difference(self, method: str, path: str, told: httpx.Response) -> str:
        operation = self._operation(method, path)
        if operation is None:
            return ""
        pointer = f"/paths/{_escaped(operation)}/{method.lower()}/responses/{told.status_code}"
        response = self._at(pointer)
        if response is None:
            return f"{told.status_code} is not described"
        if "$ref" in response:
            pointer = response["$ref"].removeprefix("#")
            response = self._at(pointer)
        return self._body_difference(pointer, response or {}, told)

    def _body_difference(self, pointer: str, response: dict[str, Any], told: httpx.Response) -> str:
        if not told.content:
            return ""
        media = told.headers["Content-Type"].partition(";")[0]
        described = response.get("content", {})
        name = next((one for one in _NAMES.get(media, (media,)) if one in described), None)
        if name is None:
            return f"{media} is not described for {told.status_code}"
        schema = {"$ref": f"{_DOCUMENT}#{quote(pointer, safe='/~')}/content/{quote(_escaped(name))}/schema"}
        errors = Draft202012Validator(schema, registry=self._registry).iter_errors(told.json())
        return "; ".join(f"{error.json_path}: {error.message[:300]}" for error in list(errors)[:3])

    def _operation(self, method: str, path: str) -> str | None:
        segments = path.strip("/").split("/")
        fits = (name for name in self._document["paths"] if _fits(name.strip("/").split("/"), segments))
        return next((name for name in fits if method.lower() in self._document["paths"][name]), None)

    def _at(self, pointer: str) -> Any:
        found: Any = self._document
        for part in pointer.strip("/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found


def check(path: Path) -> list[Result]:
    """`path` is the description."""
    return asyncio.run(_check(Description(path)))


async def _check(description: Description) -> list[Result]:
    async with fresh_instance(_no_context) as api:
        return [result async for result in _results(api, description)]


async def _results(api: httpx.AsyncClient, description: Description) -> AsyncIterator[Result]:
    for call in calls():
        told = await _send(api, call)
        name = f"{call.method} {call.path} {call.headers.get('Accept', '')} -> {told.status_code}"
        wrong_status = "" if told.status_code == call.status else f"not {call.status} but {told.text[:200]} "
        path = told.request.url.path.removeprefix("/ngsi-ld/v1")
        yield Result(
            name, wrong_status + (description.difference(call.method, path, told) if call.is_described else "")
        )


async def _send(api: httpx.AsyncClient, call: Call) -> httpx.Response:
    content = None if call.body is None else msgspec.json.encode(call.body)
    headers = {"Content-Type": "application/json", **call.headers} if content else call.headers
    return await api.request(call.method, f"/ngsi-ld/v1{call.path}", content=content, headers=headers)


def _fits(template: list[str], segments: list[str]) -> bool:
    return len(template) == len(segments) and all(
        part.startswith("{") or part == given for part, given in zip(template, segments, strict=True)
    )


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _lenient(schema: Any) -> Any:
    """Its alternatives overlap: a Subscription is one of two that ask for nothing that the other has not."""
    if isinstance(schema, dict):
        return {"anyOf" if name == "oneOf" else name: _lenient(inner) for name, inner in schema.items()}
    return [_lenient(inner) for inner in schema] if isinstance(schema, list) else schema


def _no_context(url: str) -> bytes:
    raise LookupError(url)
