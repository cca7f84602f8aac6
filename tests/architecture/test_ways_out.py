"""Whatever calls an address goes through the guarded client: another client would be a way around it."""

import ast

from tests.architecture.source import imported_modules, module_name, package_files, shown, tree

CLIENTS = frozenset({
    "aiohttp", "ftplib", "grpc", "http.client", "httpx", "paho", "requests", "smtplib", "telnetlib", "urllib.request",
    "urllib3", "xmlrpc",
})  # fmt: skip
CONNECTING = frozenset({"open_connection", "create_connection", "create_datagram_endpoint", "sock_connect"})
OF_THE_COMMAND_LINE = frozenset({"parvis.cli.devices", "parvis.cli.series", "parvis.connectors.files.replay"})
"""Programs that somebody starts by hand against a Parvis whose address they give."""
OF_THE_SUITE = frozenset({"parvis.conformance.instance"})
GUARDED = "parvis.outbound.network"
BY_THE_TERRITORY_FILE = frozenset({
    "parvis.connectors.mbus.client",
    "parvis.connectors.mqttbridge.bridge",
    "parvis.outbound.syslog",
})  # fmt: skip
"""They connect to what the administrator has written in `territory.toml`, mostly in the buildings' own network, and to
nothing that comes in over HTTP."""


def test_no_other_http_client_is_imported() -> None:
    strangers = {
        shown(path): sorted(one for one in imported_modules(path) if one in CLIENTS or one.split(".")[0] in CLIENTS)
        for path in package_files()
        if module_name(path) not in OF_THE_COMMAND_LINE | OF_THE_SUITE
        and not module_name(path).startswith("parvis.demo")
    }
    assert {path: names for path, names in strangers.items() if names} == {}


def test_connections_are_made_in_the_guarded_network_or_to_what_the_administrator_named() -> None:
    makers = {
        module_name(path)
        for path in package_files()
        if not module_name(path).startswith("parvis.demo")
        and any(isinstance(node, ast.Attribute) and node.attr in CONNECTING for node in ast.walk(tree(path)))
    }
    assert makers == {GUARDED, *BY_THE_TERRITORY_FILE}
