"""JMESPath over documents of any shape, with three functions of ours.

It has no loops, no recursion, no regular expressions and no functions that an author could define: what an expression
costs is bounded by the document and its own length.
"""

import itertools
import warnings
from typing import Any

import jmespath
import msgspec
from jmespath import functions
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from parvis.kernel.errors import PARVIS_ERRORS, Detailed, ParvisError

LONGEST = 2000
_FAULTS = (JMESPathError, RecursionError, ValueError, TypeError, ArithmeticError, LookupError)


class InvalidExpression(ParvisError):
    type_uri = PARVIS_ERRORS + "invalid-expression"
    title = "The expression cannot be used"
    status = 400


class ExpressionFailed(Detailed):
    """The document is not such that the expression has a value."""


class _Functions(functions.Functions):
    @functions.signature({"types": ["string"]})
    def _func_parse_json(self, text: str) -> Any:
        """A document that is written as text within another; null where it is none."""
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return None

    @functions.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_split(self, text: str, separator: str) -> list[str]:
        return text.split(separator) if separator else [text]

    @functions.signature({"types": ["array"]})
    def _func_from_pairs(self, pairs: list[Any]) -> dict[str, Any]:
        """`[[name, value], ...]` as an object; pairs without a name or a value are left out."""
        return {
            pair[0]: pair[1]
            for pair in pairs
            if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and pair[1] is not None
        }


_INTERPRETER = TreeInterpreter(jmespath.Options(custom_functions=_Functions()))
"""One for all: it keeps nothing of a document, and one for each would wait, as a cycle, to be collected."""


class Expression:
    def __init__(self, text: str) -> None:
        """Raises InvalidExpression."""
        if len(text) > LONGEST:
            raise InvalidExpression(f"An expression has at most {LONGEST} characters.")
        self.text = text
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # literals of JMESPath before JEP-12
                self._compiled = jmespath.compile(text)
        except (*_FAULTS, PendingDeprecationWarning) as fault:
            raise InvalidExpression(f"{text!r} is no JMESPath: {_first_line(fault)}") from None

    def evaluate(self, document: Any) -> Any:
        """None where there is nothing. Raises ExpressionFailed."""
        try:
            return _INTERPRETER.visit(self._compiled.parsed, document)
        except _FAULTS as fault:
            raise ExpressionFailed(f"{self.text!r}: {_first_line(fault)}") from None


def _first_line(fault: Exception) -> str:
    return next(itertools.chain(str(fault).splitlines(), [type(fault).__name__]))[:200]
