"""What the query languages of NGSI-LD share: a position in a text, and terms under `;`, `|`, `,` and parentheses."""

from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

from parvis.kernel.errors import BadRequestData, TooComplexQuery

MAX_LENGTH: Final = 16_384
MAX_DEPTH: Final = 24
MAX_TERMS: Final = 256

Node = TypeVar("Node")
Join = Callable[[tuple[Node, ...]], Node]


class Scanner:
    """Reads a text once, from left to right."""

    def __init__(self, text: str, what: str) -> None:
        if len(text) > MAX_LENGTH:
            raise TooComplexQuery(f"{what} has at most {MAX_LENGTH} characters, not {len(text)}.")
        self.text = text
        self.position = 0
        self._what = what
        self._terms = 0

    def refuse(self, wanted: str) -> NoReturn:
        """Raises BadRequestData that tells the place."""
        before, after = self.text[: self.position][-30:], self.text[self.position :][:30]
        raise BadRequestData(
            f"{self._what} is not understood at position {self.position}: {wanted} was expected"
            f" here: {before}»{after or 'the end'}",
            position=self.position,
        )

    def at_end(self) -> bool:
        return self.position >= len(self.text)

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def take(self, *tokens: str) -> str:
        """The first of these that stands here, stepped over; or nothing."""
        for token in tokens:
            if self.text.startswith(token, self.position):
                self.position += len(token)
                return token
        return ""

    def take_until(self, stops: str) -> str:
        start = self.position
        while self.position < len(self.text) and self.text[self.position] not in stops:
            self.position += 1
        return self.text[start : self.position]

    def take_quoted(self) -> str:
        """A text in double quotes, where \\" and \\\\ stand for themselves."""
        self.position += 1
        parts: list[str] = []
        while not self.take('"'):
            if self.at_end():
                self.refuse("a closing quotation mark")
            if self.peek() == "\\" and self.text[self.position + 1 : self.position + 2] in ('"', "\\"):
                self.position += 1
            parts.append(self.peek())
            self.position += 1
        return "".join(parts)

    def read_all(
        self, term: Callable[[], Node], every: Join[Node], some: Join[Node], some_signs: tuple[str, ...]
    ) -> Node:
        """The whole text as alternatives (`some_signs`) of terms that go together (`;`), which bind closer."""
        node = self._alternatives(term, every, some, some_signs, 0)
        if not self.at_end():
            self.refuse("the end")
        return node

    def _alternatives(
        self, term: Callable[[], Node], every: Join[Node], some: Join[Node], signs: tuple[str, ...], depth: int
    ) -> Node:
        if depth > MAX_DEPTH:
            raise TooComplexQuery(f"{self._what} nests parentheses deeper than {MAX_DEPTH} levels.")
        nodes = [self._conjunction(term, every, some, signs, depth)]
        while self.take(*signs):
            nodes.append(self._conjunction(term, every, some, signs, depth))
        return nodes[0] if len(nodes) == 1 else some(tuple(nodes))

    def _conjunction(
        self, term: Callable[[], Node], every: Join[Node], some: Join[Node], signs: tuple[str, ...], depth: int
    ) -> Node:
        nodes: list[Node] = []
        while not nodes or self.take(";"):
            if self.take("("):
                nodes.append(self._alternatives(term, every, some, signs, depth + 1))
                if not self.take(")"):
                    self.refuse("a closing parenthesis")
            else:
                nodes.append(self._counted(term))
        return nodes[0] if len(nodes) == 1 else every(tuple(nodes))

    def _counted(self, term: Callable[[], Node]) -> Node:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise TooComplexQuery(f"{self._what} has more than {MAX_TERMS} terms.")
        return term()
