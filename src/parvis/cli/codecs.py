"""`parvis import codecs`: the device repository of The Things Network, tried here and made into profiles."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from parvis.broker.jsonld.contexts import Contexts
from parvis.cli.options import data_option
from parvis.fleet.codecs.examples import Verdict
from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles.imports.install import Installation, Installer
from parvis.fleet.profiles.imports.repository import DeviceRepository, RepositoryVendor
from parvis.fleet.profiles.imports.trials import CodecTrials, try_codec

_FAILURES_SHOWN = 25
_LONGEST_DETAIL = 160


class _VendorReport(msgspec.Struct):
    vendor: RepositoryVendor
    tried: list[CodecTrials]
    installed: list[Installation]

    def count(self, verdict: Verdict) -> int:
        return sum(one.count(verdict) for one in self.tried)

    @property
    def examples(self) -> int:
        return sum(len(one.trials) for one in self.tried)

    def devices(self, *, passing: bool = False) -> int:
        good = {device.id: True for one in self.tried for device in one.codec.devices if one.trials}
        for one in self.tried:
            for device in one.codec.devices:
                if one.trials and not one.have_passed:
                    good[device.id] = False
        return sum(good.values()) if passing else len(good)


@click.command("codecs")
@click.argument("checkout", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@data_option()
@click.option("--vendor", "vendors", multiple=True, help="Only this vendor's; may be given several times.")
@click.option("--install", is_flag=True, help="Make a profile of each device whose codec runs.")
@click.option("--replace", is_flag=True, help="With --install: write over profiles that are there.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON, each example with its verdict.")
@click.option(
    "--at-least",
    "at_least",
    metavar="PERCENT",
    type=click.FloatRange(0, 100),
    default=98.0,
    show_default=True,
    help="Exit code 1 where fewer of the examples pass.",
)
def import_codecs(
    checkout: Path,
    data_dir: Path,
    vendors: tuple[str, ...],
    install: bool,
    replace: bool,
    as_json: bool,
    at_least: float,
) -> None:
    """Run the codecs of a device repository on its examples, and make profiles of them.

    DIR is a checkout of github.com/TheThingsNetwork/lorawan-devices. Each example is run with the limits that all
    codecs have. Profiles go below profiles/ in the data directory; their attributes are guessed, to be looked at.
    """
    repository = DeviceRepository(checkout)
    names = list(vendors) or repository.list_vendors()
    expand = Contexts().parvis.expand
    installer = Installer(data_dir / PROFILES_FOLDER, expand, replace=replace) if install else None
    with _progress(len(names)) as bar:
        reports = [_try_vendor(repository, name, installer, bar) for name in names]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_document(reports)).decode()))
    else:
        for line in _lines(reports, at_least):
            click.echo(line)
    if _share(reports) < at_least:
        raise click.exceptions.Exit(1)


def _progress(length: int) -> Any:
    return click.progressbar(length=length, label="Vendors", file=sys.stderr)


def _try_vendor(repository: DeviceRepository, name: str, installer: Installer | None, bar: Any) -> _VendorReport:
    vendor = repository.read_vendor(name)
    tried = [try_codec(codec) for codec in vendor.codecs]
    installed = [one for each in tried for one in installer.install(each, vendor)] if installer else []
    bar.update(1, name)
    return _VendorReport(vendor, tried, installed)


def _share(reports: Sequence[_VendorReport]) -> float:
    """Of the examples that pass, in percent."""
    examples = sum(one.examples for one in reports)
    return 100.0 * sum(one.count(Verdict.PASSED) for one in reports) / examples if examples else 100.0


def _lines(reports: Sequence[_VendorReport], at_least: float) -> Iterator[str]:
    yield f"{'vendor':32} {'devices':>8} {'all pass':>8} {'codecs':>7} {'examples':>9} {'pass':>7}"
    for one in reports:
        if one.examples:
            yield _row(one.vendor.id, [one])
    yield _row("together", reports)
    yield from _reasons(reports)
    yield from _unreadable(reports)
    yield from _installed(reports)
    verdict = "enough" if _share(reports) >= at_least else "too few"
    yield f"{_share(reports):.2f} % of the examples pass; {at_least:g} % would do: {verdict}."


def _row(name: str, reports: Sequence[_VendorReport]) -> str:
    devices = sum(one.devices() for one in reports)
    good = sum(one.devices(passing=True) for one in reports)
    codecs = sum(len(one.tried) for one in reports)
    examples = sum(one.examples for one in reports)
    passed = sum(one.count(Verdict.PASSED) for one in reports)
    return f"{name[:32]:32} {devices:8} {good:8} {codecs:7} {examples:9} {passed:7}"


def _reasons(reports: Sequence[_VendorReport]) -> Iterator[str]:
    counts = Counter({verdict: sum(one.count(verdict) for one in reports) for verdict in Verdict})
    del counts[Verdict.PASSED]
    for verdict, count in counts.most_common():
        if count:
            yield f"{verdict.value:32} {count:8}"
    failures = list(_failures(reports))
    yield from failures[:_FAILURES_SHOWN]
    if len(failures) > _FAILURES_SHOWN:
        yield f"  and {len(failures) - _FAILURES_SHOWN} more: --json tells all"


def _failures(reports: Sequence[_VendorReport]) -> Iterator[str]:
    for report in reports:
        for tried in report.tried:
            for trial in tried.trials:
                if trial.verdict is not Verdict.PASSED:
                    example = trial.example
                    where = f"{tried.codec.vendor}/{tried.codec.id} {example.routine.value} {example.number}"
                    yield f"  {where}: {trial.verdict.value}: {trial.detail[:_LONGEST_DETAIL]}"


def _unreadable(reports: Sequence[_VendorReport]) -> Iterator[str]:
    for report in reports:
        for one in report.vendor.unreadable:
            yield f"  {report.vendor.id}/{one.path.name} cannot be read: {one.why[:_LONGEST_DETAIL]}"


def _installed(reports: Sequence[_VendorReport]) -> Iterator[str]:
    installations = [one for report in reports for one in report.installed]
    if not installations:
        return
    made = [one for one in installations if not one.why_not]
    profiles, attributes = _count(len(made), "profile"), _count(sum(one.attributes for one in made), "attribute")
    yield f"{profiles} made, with {attributes} guessed."
    for why_not, count in Counter(one.why_not for one in installations if one.why_not).most_common():
        yield f"{count} left out: {why_not}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _document(reports: Sequence[_VendorReport]) -> dict[str, Any]:
    passed = sum(one.count(Verdict.PASSED) for one in reports)
    return {
        "examples": sum(one.examples for one in reports),
        "passed": passed,
        "percent": round(_share(reports), 4),
        "devices": sum(one.devices() for one in reports),
        "devicesPassing": sum(one.devices(passing=True) for one in reports),
        "reasons": {
            verdict.value: count
            for verdict in Verdict
            if verdict is not Verdict.PASSED and (count := sum(one.count(verdict) for one in reports))
        },
        "vendors": [_vendor_document(one) for one in reports],
    }


def _vendor_document(report: _VendorReport) -> dict[str, Any]:
    return {
        "id": report.vendor.id,
        "name": report.vendor.name,
        "examples": report.examples,
        "passed": report.count(Verdict.PASSED),
        "codecs": [_codec_document(one) for one in report.tried],
        "unreadable": [{"file": one.path.name, "why": one.why} for one in report.vendor.unreadable],
        "profiles": report.installed,
    }


def _codec_document(tried: CodecTrials) -> dict[str, Any]:
    return {
        "id": tried.codec.id,
        "devices": [device.id for device in tried.codec.devices],
        "examples": [
            {
                "routine": one.example.routine.value,
                "number": one.example.number,
                "description": one.example.description,
                "verdict": one.verdict.value,
                "detail": one.detail,
            }
            for one in tried.trials
        ],
    }
