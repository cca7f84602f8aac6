"""What reading series and reading inventories from a table share."""

from collections.abc import Callable, Iterator

from parvis.connectors.files.config import InvalidMapping, nearest
from parvis.connectors.files.report import LONGEST_TOLD, Fault, FaultReason, Report
from parvis.connectors.files.table import Row, Table, Unreadable


class RowReader:
    """Reads one table: its columns by name, its rows counted, its faults told."""

    def __init__(self, file: str, header: tuple[str, ...], report: Report) -> None:
        self._file = file
        self._header = header
        self._report = report

    def _index(self, column: str) -> int:
        if column not in self._header:
            raise InvalidMapping(f"{self._file} has no column {column!r}.{nearest(column, self._header)}")
        return self._header.index(column)

    def _rows(self, table: Table, on_row: Callable[[], None]) -> Iterator[tuple[int, Row]]:
        """Those that hold something, with their numbers."""
        for number, row in table.rows:
            on_row()
            if isinstance(row, Unreadable):
                self._report.rows += 1
                self._fault(number, "", row.text, FaultReason.UNREADABLE_ROW)
            elif not is_blank(row):
                self._report.rows += 1
                yield number, row

    def _fault(self, row: int, column: str, text: str, reason: FaultReason) -> None:
        self._report.fault(Fault(self._file, row, column, text[:LONGEST_TOLD], reason))


def is_blank(row: Row) -> bool:
    return all(cell is None or cell == "" for cell in row)
