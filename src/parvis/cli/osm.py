"""`parvis import osm`: the ground under the map, and the roads."""

import sys
import time
from pathlib import Path

import click

from parvis.cli.options import data_option, settings_beside

_EVERY_S = 0.2


@click.command("osm")
@click.argument("extract", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option()
@click.option(
    "--bounds", metavar="W,S,E,N", help="Only what touches this box, in degrees. Without it: the whole extract."
)
def import_osm(extract: Path, data_dir: Path, bounds: str | None) -> None:
    """Make the base map and the road graph of an OpenStreetMap extract (.osm.pbf)."""
    try:
        from parvis.ground.osm.importing import import_extract
    except ImportError as error:
        raise click.ClickException(f"{error.name} is missing. Install the extra: pip install 'parvis[osm]'") from None
    settings = settings_beside(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    teller = _Teller()
    imported = import_extract(extract, data_dir, _box(bounds), settings.territory.name, teller.tell)
    teller.end()
    roads = imported.roads
    click.echo(f"{imported.tiles} tiles; {len(roads.junctions)} junctions, {len(roads.source)} directed road sections.")
    if imported.broken:
        click.echo(f"{imported.broken} objects have no whole geometry in this extract and are left out.")
    click.echo("A platform that runs on this data directory shows the new ground at once.")


def _box(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        west, south, east, north = (float(one) for one in text.split(","))
    except ValueError:
        raise click.BadParameter("four numbers with commas: west,south,east,north", param_hint="--bounds") from None
    if not (-180 <= west < east <= 180 and -85 <= south < north <= 85):
        raise click.BadParameter("west,south,east,north in degrees, in this order", param_hint="--bounds")
    return west, south, east, north


class _Teller:
    """One line that is written again, on a terminal; else a line for each stage."""

    def __init__(self) -> None:
        self._said_at, self._stage = 0.0, ""

    def tell(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage == self._stage and (now - self._said_at < _EVERY_S or not _is_seen()):
            return
        if stage != self._stage and self._stage:
            self.end()
        self._said_at, self._stage = now, stage
        share = "" if total is None else f" of {total} ({100 * done // max(1, total)} %)"
        click.echo(
            f"\r\033[K{_WORDS[stage]}: {done}{share}" if _is_seen() else f"{_WORDS[stage]} ...", nl=not _is_seen()
        )

    def end(self) -> None:
        if _is_seen():
            click.echo()


_WORDS = {"reading": "Objects read", "drawing": "Tiles drawn"}


def _is_seen() -> bool:
    return sys.stdout.isatty()
