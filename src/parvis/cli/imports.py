"""`parvis import`: what comes from files. Without the name of a kind, the files are recorded series."""

import click

from parvis.cli.codecs import import_codecs
from parvis.cli.files import import_file
from parvis.cli.leaving import import_bundle
from parvis.cli.osm import import_osm
from parvis.cli.series import import_series

_SERIES = "series"


class _Kinds(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or [_SERIES])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """`parvis import MAPPING FILE...`, as it was before there were other kinds."""
        if args and args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return _SERIES, self.commands[_SERIES], args


@click.group(
    "import",
    cls=_Kinds,
    context_settings={"ignore_unknown_options": True},
    options_metavar="",
    subcommand_metavar="file FILE | [series] MAPPING FILE... | codecs DIR | osm FILE | bundle PATH",
)
def import_() -> None:
    """Bring what lies in files: objects and measurements, recorded series, codecs, the ground, or all of a tenant."""


import_.add_command(import_series, _SERIES)
import_.add_command(import_codecs, "codecs")
import_.add_command(import_file, "file")
import_.add_command(import_osm, "osm")
import_.add_command(import_bundle, "bundle")
