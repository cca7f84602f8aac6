"""How a figure is said: what was reached, what was to be reached, and what stands beside it."""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """`reached` and `target` in `unit`; `beside` is the peer's or the bare engine's figure in the same unit."""

    what: str
    reached: float
    unit: str
    target: float | None
    beside: float | None = None
    beside_whom: str = ""
    smaller_is_better: bool = False

    @property
    def is_reached(self) -> bool:
        if self.target is None:
            return True
        return self.reached <= self.target if self.smaller_is_better else self.reached >= self.target

    def row(self) -> str:
        sign, verdict = ("<=" if self.smaller_is_better else ">="), "yes" if self.is_reached else "**no**"
        target, verdict = ("", "") if self.target is None else (f"{sign} {_number(self.target)}", verdict)
        beside = f"{self.beside_whom}: {_number(self.beside)}" if self.beside is not None else ""
        ratio = f"{self.reached / self.beside:.2f}" if self.beside else ""
        return f"| {self.what} | {_number(self.reached)} {self.unit} | {target} | {verdict} | {beside} | {ratio} |"


HEADER = "| figure | reached | target | reached? | beside | ratio |\n|---|---|---|---|---|---|"


def tell(*figures: Figure) -> None:
    print(HEADER)
    for figure in figures:
        print(figure.row(), flush=True)


def machine() -> str:
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = f"{len(names)} x {names[0]}" if names else model
    return f"{model}, CPython {sys.version.split()[0]}, {platform.system()} {platform.release()}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 100 else f"{value:.3g}"
