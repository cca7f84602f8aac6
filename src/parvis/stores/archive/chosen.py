"""The rows that are asked for, as SQL: of some entities, one series each, in a window and maybe by period."""

from collections.abc import Sequence
from itertools import pairwise

from parvis.broker.model.entity import AttributeKey
from parvis.broker.ports.archive import ArchivedEntity
from parvis.broker.temporal.reading import EARLIEST, LATEST, Period, Window
from parvis.stores.archive.engine import Condition, Parameter, not_erased
from parvis.stores.archive.rows import REMOVED


def choose_rows(entities: Sequence[ArchivedEntity], located: list[str], key: AttributeKey, window: Window) -> Condition:
    """`FROM` the rows in these files. Of more than one entity they have the `place` of theirs.

    Of one entity, a limit that is none keeps the other conditions out of the scan, which would try each on pages that
    hold nothing of it; many entities' rows would wait there for each other.
    """
    within = _within(window)
    kept = not_erased([erasure for one in entities for erasure in one.erasures])
    of_entities = _of_entities([one.entity_id for one in entities])
    apart = f" LIMIT {2**63 - 1}" if len(entities) == 1 else ""
    sign = "=" if window.of_removals else "<>"
    sql = (
        f"FROM (SELECT * FROM read_parquet(?, hive_partitioning = false) AS rows{of_entities.sql}"
        f" AND attribute = ?{apart}) AS rows"
        f" WHERE dataset = ? AND kind {sign} {REMOVED} AND {within.sql} AND {kept.sql}"
    )
    return Condition(sql, (located, *of_entities.parameters, *key, *within.parameters, *kept.parameters))


def choose_series(
    entities: Sequence[ArchivedEntity], located: list[str], keys: Sequence[AttributeKey], window: Window
) -> Condition:
    """`FROM` the last row of each entity, attribute and dataset, removals among them, with the entity's `place`."""
    within, kept = _within(window), not_erased([erasure for one in entities for erasure in one.erasures])
    names = [one.entity_id for one in entities]
    sql = (
        "FROM (SELECT rows.*, page.place FROM read_parquet(?, hive_partitioning = false) AS rows"
        " JOIN (SELECT unnest(?) AS wanted, unnest(?) AS place) AS page ON rows.entity = page.wanted"
        " WHERE entity BETWEEN ? AND ? AND attribute IN (SELECT unnest(?)) AND dataset IN (SELECT unnest(?))) AS rows"
        f" WHERE {within.sql} AND {kept.sql}"
        " QUALIFY row_number() OVER"
        f" (PARTITION BY place, attribute, dataset ORDER BY {time_of(window)} DESC, seq DESC) = 1"
    )
    page = (names, list(range(len(names))), min(names), max(names))
    series = (sorted({name for name, _ in keys}), sorted({dataset for _, dataset in keys}))
    return Condition(sql, (located, *page, *series, *within.parameters, *kept.parameters))


def choose_by_period(
    entities: Sequence[ArchivedEntity],
    located: list[str],
    key: AttributeKey,
    window: Window,
    periods: Sequence[Period],
) -> Condition:
    """`FROM` rows with their `place` and the number of their `period`. Periods have a length, and are in order."""
    rows = choose_rows(entities, located, key, Window(window.by_recorded, periods[0][0], periods[-1][1]))
    place, step = "place" if len(entities) > 1 else "0", _step(periods, time_of(window))
    selected = f"SELECT {place} AS place, {step or time_of(window)} AS period, number, whole, text, json {rows.sql}"
    if step is not None:
        return Condition(f"FROM ({selected}) AS chosen", rows.parameters)
    starts, ends = ([one[side] for one in periods] for side in (0, 1))
    sql = (
        f"FROM (SELECT chosen.* REPLACE (periods.period AS period) FROM ({selected}) AS chosen"
        " ASOF JOIN (SELECT unnest(?) AS period, unnest(?) AS start, unnest(?) AS until) AS periods"
        " ON chosen.period >= periods.start WHERE chosen.period < periods.until) AS chosen"
    )
    return Condition(sql, (*rows.parameters, list(range(len(periods))), starts, ends))


def time_of(window: Window) -> str:
    return "(epoch_us(time) + delay_us)" if window.by_recorded else "epoch_us(time)"


def _of_entities(names: list[str]) -> Condition:
    """Bounds let the engine pass over parts of a file."""
    if len(names) == 1:
        return Condition(" WHERE entity = ?", (names[0],))
    sql = (
        " JOIN (SELECT unnest(?) AS wanted, unnest(?) AS place) AS page ON rows.entity = page.wanted"
        " WHERE entity BETWEEN ? AND ?"
    )
    return Condition(sql, (names, list(range(len(names))), min(names), max(names)))


def _within(window: Window) -> Condition:
    bounds: list[tuple[str, Parameter]] = []
    if window.start > EARLIEST:
        bounds.append((f"{time_of(window)} >= ?", window.start))
    if window.end < LATEST:
        bounds.append((f"{time_of(window)} < ?", window.end))
    return Condition(" AND ".join(sql for sql, _ in bounds) or "true", tuple(given for _, given in bounds))


def _step(periods: Sequence[Period], time: str) -> str | None:
    """The number of a row's period by arithmetic, where all are as long: a window may cut the first and the last."""
    if len(periods) == 1:
        return "0"
    lengths = [end - start for start, end in periods]
    longest = max(lengths)
    if any(length != longest for length in lengths[1:-1]):
        return None
    if any(before[1] != after[0] for before, after in pairwise(periods)):
        return None
    return f"({time} - {periods[0][1] - longest}) // {longest}"
