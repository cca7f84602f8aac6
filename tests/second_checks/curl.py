"""The requests and answers that a tutorial in Markdown shows, read from its curl commands."""

import re
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"HTTP/[\d.]+ (\d{3})")
_WITHOUT_VALUE = frozenset({"-G", "--get", "-i", "-L", "--location", "-s", "-k", "-I", "--fail", "-f"})
_BODIES = frozenset({"-d", "--data", "--data-raw", "--data-binary", "--data-urlencode"})


class Command(msgspec.Struct):
    method: str
    url: str
    headers: dict[str, str]
    data: list[str]

    @property
    def path(self) -> str:
        """With the query, which curl takes from -d after -G; the tutorials mean it where a body cannot be, too."""
        parts = urlsplit(self.url)
        query = "&".join(one for one in [parts.query, *self.data] if one and not _is_json(one))
        return f"{parts.path}?{query}" if query else parts.path

    @property
    def body(self) -> str | None:
        return next((one for one in self.data if _is_json(one)), None)


def _is_json(data: str) -> bool:
    return data.lstrip().startswith(("{", "["))


class Step(msgspec.Struct):
    """`status` and `answer` are None where the tutorial shows none."""

    command: Command
    status: int | None = None
    answer: Any = None


def steps(page: str, port: int) -> Iterator[Step]:
    """Those for the broker, which listens at `port` there."""
    current: Step | None = None
    for language, text in _BLOCK.findall(page):
        if "curl " in text:
            if current is not None:
                yield current
            command = _command(text)
            current = Step(command) if command is not None and f":{port}/ngsi-ld/" in command.url else None
        elif current is not None:
            _note(current, language, text)
    if current is not None:
        yield current


def _note(step: Step, language: str, text: str) -> None:
    status = _STATUS.search(text)
    if status is not None and step.status is None:
        step.status = int(status[1])
    elif language in {"json", "jsonld"} and step.answer is None:
        try:
            step.answer = msgspec.json.decode(text)
        except msgspec.MsgspecError:
            return


def _command(text: str) -> Command | None:
    try:
        words = shlex.split(text.replace("\\\n", " "))
    except ValueError:
        return None
    command = Command("", "", {}, [])
    remaining = iter(words[words.index("curl") + 1 :])
    for word in remaining:
        _take(command, word, remaining)
    command.method = command.method or ("POST" if command.data else "GET")
    return command


def _take(command: Command, word: str, remaining: Iterator[str]) -> None:
    if word in {"-X", "--request", "-iX", "-sX"}:
        command.method = next(remaining)
    elif word in {"-H", "--header"}:
        name, _, value = next(remaining).partition(":")
        command.headers[name.strip()] = value.strip()
    elif word in _BODIES:
        command.data.append(next(remaining))
    elif word == "--url" or word.startswith(("http", "localhost")):
        url = next(remaining) if word == "--url" else word
        command.url = url if url.startswith("http") else f"http://{url}"
    elif word in {"-G", "--get"}:
        command.method = command.method or "GET"
    elif word.startswith("-") and word not in _WITHOUT_VALUE:
        next(remaining, None)
