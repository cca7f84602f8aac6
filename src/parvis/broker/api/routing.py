"""From a path to its route: a small tree, for a list of patterns costs more than the work itself."""

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import unquote

import msgspec

from parvis.broker.api.errors import MethodNotAllowed
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Response
from parvis.broker.jsonld.names import check_uri
from parvis.kernel.errors import BadRequestData, ResourceNotFound

Handler = Callable[[Request], Awaitable[Response]]
VARIABLE = "{}"
_UNNAMED_ENTITY = "/entities/"
"""What has no name there is a bad request (5.6.17, 5.6.18); elsewhere it is the collection, which knows other verbs."""
_OF_ENTITIES = (f"/entities/{VARIABLE}", f"/temporal/entities/{VARIABLE}")


class Route(msgspec.Struct, frozen=True):
    """`template` writes a variable segment as `{}`; `parameters` names every query parameter the route knows.

    `writes`: only for callers who may write, who are asked for before the body is read. `begins`: it creates something,
    and with it a tenant that is not there yet (5.5.10).
    """

    method: str
    template: str
    handler: Handler
    parameters: frozenset[str] = frozenset()
    writes: bool = False
    begins: bool = False


class _Node(msgspec.Struct):
    children: dict[str, "_Node"] = msgspec.field(default_factory=dict)
    routes: dict[str, Route] = msgspec.field(default_factory=dict)


class Router:
    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def find(self, method: str, raw_path: str) -> tuple[Route, tuple[str, ...]]:
        """The route and the decoded variable segments. `raw_path` is percent-encoded: an id may hold a slash."""
        node = self._root
        args: list[str] = []
        for segment in raw_path.strip("/").split("/"):
            following = node.children.get(segment)
            if following is None:
                following = node.children.get(VARIABLE)
                args.append(unquote(segment) if "%" in segment else segment)
            if following is None:
                raise ResourceNotFound(f"There is nothing at {raw_path}.")
            if not segment:
                raise _unnamed(raw_path)
            node = following
        route = self._route(node, method, raw_path)
        if route.template.startswith(_OF_ENTITIES):
            check_uri(args[0], "The id of an entity")
        return route, tuple(args)

    def _route(self, node: _Node, method: str, raw_path: str) -> Route:
        if not node.routes:
            raise ResourceNotFound(f"There is nothing at {raw_path}.")
        route = node.routes.get(method)
        if route is not None:
            return route
        named = node.children.get(VARIABLE)
        if raw_path == _UNNAMED_ENTITY and named is not None and method in named.routes:
            raise _unnamed(raw_path)
        raise MethodNotAllowed(method, node.routes)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.template.strip("/").split("/"):
            node = node.children.setdefault(segment, _Node())
        node.routes[route.method] = route


def _unnamed(raw_path: str) -> BadRequestData:
    return BadRequestData(f"Something between the slashes of {raw_path} is missing: an id or a name.")
