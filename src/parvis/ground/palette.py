"""The colours of the base map, by day and by night."""

from dataclasses import dataclass
from typing import Literal

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Palette:
    land: str
    urban: str
    industrial: str
    farmland: str
    meadow: str
    fallow: str
    orchard: str
    hedge: str
    forest: str
    heath: str
    park: str
    square: str
    sand: str
    mud: str
    sea: str
    depth: str
    shore: str
    river: str
    trunk: str
    primary: str
    secondary: str
    road: str
    casing: str
    rail: str
    pier: str
    building: str
    public_building: str
    building_edge: str
    boundary: str
    ink: str
    ink_quiet: str
    ink_water: str
    ink_green: str
    halo: str


LIGHT = Palette(
    land="#f4f1e9", urban="#ebe6dc", industrial="#e6e1e0", farmland="#f3eddc", meadow="#e9eed8", fallow="#f0e9d2",
    orchard="#e0ead0", hedge="#bccba4", forest="#cfdcbd", heath="#e6e2c4", park="#d5e3c2",
    square="#efe7d6",    sand="#efe3c3", mud="#dcdccb", sea="#c3dae5", depth="#b2cfde", shore="#a6c4d3",
    river="#a9cbdc", trunk="#efc28f",
    primary="#f6dcaa", secondary="#fbf0d2", road="#ffffff", casing="#d6cdbd", rail="#b7b0a9", pier="#e4ded2",
    building="#d9d1c4",
    public_building="#c9bba8", building_edge="#c3b9a9", boundary="#9a86a0", ink="#33424b", ink_quiet="#6a757b",
    ink_water="#4f7f98", ink_green="#587447", halo="#fbf9f5",
)  # fmt: skip
DARK = Palette(
    land="#1b2024", urban="#23292d", industrial="#262a2f", farmland="#1e2325", meadow="#1e2625", fallow="#202423",
    orchard="#1e2825", hedge="#2c3a33", forest="#202d28", heath="#262a23", park="#23332b", square="#2a2d2d",
    sand="#33322a", mud="#272d2c", sea="#11212c", depth="#0d1b25", shore="#24404f", river="#1d3a4a", trunk="#6b543a",
    primary="#54493a", secondary="#464439", road="#39424a", casing="#14181b", rail="#434b52", pier="#333a40",
    building="#2c3439",
    public_building="#3a4147", building_edge="#3a434a", boundary="#75657c", ink="#d5dbde", ink_quiet="#98a4ac",
    ink_water="#6fa3bd", ink_green="#87a877", halo="#161b1f",
)  # fmt: skip
PALETTES: dict[Theme, Palette] = {"light": LIGHT, "dark": DARK}
