"""Text that a spreadsheet shows and does not run."""

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def inert(text: str) -> str:
    """What a spreadsheet would run as a formula has an apostrophe put before it, as OWASP advises; so has what would
    look like it then."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA_BEGINS) else text


def without_apostrophe(cell: str) -> str:
    """The text that `inert` was given."""
    is_inert = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_BEGINS)
    return cell[1:] if is_inert else cell
