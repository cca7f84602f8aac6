"""What a store can say of its own soundness."""

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """`words` say what is wrong; `remedy` says what a repair does about it, empty where none can."""

    words: str
    remedy: str = ""
