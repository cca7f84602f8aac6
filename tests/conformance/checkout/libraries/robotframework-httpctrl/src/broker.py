"""Keywords of the tests: requests by what Python brings along."""

import json
import socket
import subprocess
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def create_fountain(url: str, context: str) -> int:
    fountain = {"id": "urn:ngsi-ld:Fountain:1", "type": "Fountain", "flow": {"type": "Property", "value": 3}}
    return _ask(url, {**fountain, "@context": context})[0]


def type_of_fountain(url: str) -> str:
    told: str = _ask(url + "/urn:ngsi-ld:Fountain:1")[1]["type"]
    return told


def status_of_fountain(url: str) -> int:
    return _ask(url + "/urn:ngsi-ld:Fountain:1")[0]


def run_docker(*words: str) -> None:
    subprocess.run(["docker", *words], check=True)


def connects(host: str, port: str) -> bool:
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        return False
    return True


def _ask(url: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    sent = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, sent, {"Content-Type": "application/ld+json"}), timeout=10) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except HTTPError as refusal:
        return refusal.code, json.loads(refusal.read() or b"null")
