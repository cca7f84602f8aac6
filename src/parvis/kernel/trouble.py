"""A fault that lasts is told when it begins and when it ends."""

import logging

_log = logging.getLogger(__name__)


class Trouble:
    def __init__(self, words: str) -> None:
        self._words = words
        self._is_on = False

    def note(self, fault: Exception) -> None:
        if not self._is_on:
            _log.warning(self._words, extra={"reason": str(fault)})
        self._is_on = True

    def is_over(self) -> None:
        if self._is_on:
            _log.info("over: %s", self._words)
        self._is_on = False
