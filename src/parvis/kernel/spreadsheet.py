"""Text that a spreadsheet shows and does not run."""

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")
_INERT_BEGINS = tuple(f"'{one}" for one in _FORMULA_BEGINS)


def inert(text: str) -> str:
    """What a spreadsheet would run as a formula has an apostrophe put before it, as OWASP advises."""
    return f"'{text}" if text.startswith(_FORMULA_BEGINS) else text


def without_apostrophe(cell: str) -> str:
    """The text that `inert` was given."""
    return cell[1:] if cell.startswith(_INERT_BEGINS) else cell
