"""Pipes as an engineer chooses them: diameter by peak flow, material by the year they were laid."""

from math import pi, sqrt
from random import Random

from parvis.demo.networks.water import Material

DIAMETERS_MM = (63, 75, 90, 110, 125, 160, 200, 250, 300, 400, 500)
IRON_MM = {63: 60, 75: 80, 90: 80, 110: 100, 160: 150}
ROUGHNESS = {Material.CAST_IRON: 95.0, Material.DUCTILE_IRON: 125.0, Material.PVC: 140.0, Material.POLYETHYLENE: 140.0}
"""Hazen and Williams' coefficient of pipes in service."""


def peak_flow_l_per_s(mean_m3_per_day: float) -> float:
    """The hour of most demand: 1.5 + 2.5 / sqrt(mean), at most 3.5 times the mean (usual in France)."""
    mean = mean_m3_per_day / 86.4
    return mean * min(3.5, 1.5 + 2.5 / sqrt(mean)) if mean > 0 else 0.0


def diameter_mm(flow_l_per_s: float, fastest_m_per_s: float, least_mm: int) -> int:
    narrowest = 1000 * sqrt(4 * flow_l_per_s / 1000 / (pi * fastest_m_per_s))
    return next((size for size in DIAMETERS_MM if size >= max(narrowest, least_mm)), DIAMETERS_MM[-1])


def loss_m(flow_l_per_s: float, length_m: float, diameter_mm: float, roughness: float = 125.0) -> float:
    """Of head along a pipe (Hazen and Williams 1905)."""
    per_metre: float = 10.67 * (abs(flow_l_per_s) / 1000 / roughness) ** 1.852 / (diameter_mm / 1000) ** 4.871
    return per_metre * length_m


def velocity_m_per_s(flow_l_per_s: float, diameter_mm: float) -> float:
    return flow_l_per_s / 1000 / (pi / 4 * (diameter_mm / 1000) ** 2)


def laid_year(rng: Random, quarter: str) -> int:
    """`quarter`: core, town, country or transport; a seventh was renewed since."""
    if rng.random() < 0.15:
        return rng.randint(2004, 2024)
    first, last = {"core": (1928, 1972), "town": (1958, 2012), "country": (1962, 1994)}.get(quarter, (1966, 2008))
    return rng.randint(first, last)


def material_of(rng: Random, year: int, size_mm: int) -> Material:
    if size_mm >= 200:
        return Material.DUCTILE_IRON if year >= 1968 else Material.CAST_IRON
    if year < 1966:
        return Material.CAST_IRON
    if year >= 1998 and size_mm <= 90:
        return Material.POLYETHYLENE
    return Material.PVC if rng.random() < 0.78 else Material.DUCTILE_IRON


def made_as(size_mm: int, material: Material) -> int:
    """Iron is cast by its inner diameter, plastics are drawn by their outer one."""
    iron = material in (Material.CAST_IRON, Material.DUCTILE_IRON)
    return IRON_MM.get(size_mm, size_mm) if iron else size_mm
