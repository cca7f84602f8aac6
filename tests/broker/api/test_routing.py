import pytest

from parvis.broker.api.errors import MethodNotAllowed
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response
from parvis.broker.api.routing import Route, Router
from parvis.kernel.errors import ResourceNotFound


async def handler(_: Request) -> Response:
    return NO_CONTENT


ENTITY = Route("GET", "/entities/{}", handler)
ATTRIBUTE = Route("PATCH", "/entities/{}/attrs/{}", handler)
ROUTER = Router([ENTITY, ATTRIBUTE])


def test_variable_segments_become_arguments() -> None:
    assert ROUTER.find("GET", "/entities/urn:ngsi-ld:Bin:7") == (ENTITY, ("urn:ngsi-ld:Bin:7",))
    assert ROUTER.find("PATCH", "/entities/urn:x:1/attrs/fillingLevel") == (ATTRIBUTE, ("urn:x:1", "fillingLevel"))


def test_an_encoded_slash_belongs_to_the_segment() -> None:
    assert ROUTER.find("GET", "/entities/https%3A%2F%2Fexample.org%2Fbin") == (ENTITY, ("https://example.org/bin",))


@pytest.mark.parametrize("path", ["/", "", "/entities//", "/bins", "/entities/a/attrs/b/c", "/entities/a/attrs"])
def test_no_route_is_not_found(path: str) -> None:
    with pytest.raises(ResourceNotFound):
        ROUTER.find("GET", path)


def test_another_method_is_answered_with_those_there_are() -> None:
    with pytest.raises(MethodNotAllowed) as refusal:
        ROUTER.find("DELETE", "/entities/a")
    assert refusal.value.allow == "GET"
