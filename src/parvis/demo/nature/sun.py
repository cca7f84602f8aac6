"""Where the sun stands (NREL's algorithm through pvlib, from the extra `demo`) and what of it falls on the ground."""

from dataclasses import dataclass

import numpy as np

from parvis.demo.land.geometry import ORIGIN_LAT_DEG, ORIGIN_LON_DEG
from parvis.demo.nature.chance import Bools, Floats, Times

LAMPS_ON_DEG = -3.0
"""Astronomical clocks of street lighting switch a little after sunset, a little before sunrise."""


@dataclass(frozen=True, slots=True)
class SunPosition:
    """`azimuth_deg` clockwise from north; `elevation_deg` as seen through the air."""

    elevation_deg: Floats
    azimuth_deg: Floats

    @property
    def is_dark(self) -> Bools:
        found: Bools = self.elevation_deg < LAMPS_ON_DEG
        return found


@dataclass(frozen=True, slots=True)
class Irradiance:
    """On a horizontal plane (global, diffuse) and towards the sun (direct), W/m²."""

    global_w_per_m2: Floats
    direct_w_per_m2: Floats
    diffuse_w_per_m2: Floats


def sun_position(times: Times) -> SunPosition:
    import pandas as pd
    from pvlib.solarposition import get_solarposition  # type: ignore[import-untyped]

    index = pd.to_datetime((times * 1e9).astype(np.int64), utc=True)
    found = get_solarposition(index, ORIGIN_LAT_DEG, ORIGIN_LON_DEG)
    return SunPosition(found["apparent_elevation"].to_numpy(float), found["azimuth"].to_numpy(float))


def irradiance(times: Times, sun: SunPosition, cloud: Floats) -> Irradiance:
    """Clear sky after Haurwitz (1945), clouds after Kasten and Czeplak (1980), direct part after Erbs (1982)."""
    import pandas as pd
    from pvlib.clearsky import haurwitz  # type: ignore[import-untyped]
    from pvlib.irradiance import erbs  # type: ignore[import-untyped]

    zenith = pd.Series(90 - sun.elevation_deg)
    clear = haurwitz(zenith)["ghi"].to_numpy(float)
    falls = clear * (1 - 0.75 * cloud**3.4)
    day_of_year = (times / 86_400) % 365.2425 + 1
    parts = erbs(falls, zenith.to_numpy(), day_of_year)
    return Irradiance(falls, np.nan_to_num(np.asarray(parts["dni"])), np.nan_to_num(np.asarray(parts["dhi"])))


def on_plane_w_per_m2(sun: SunPosition, falls: Irradiance, tilt_deg: float, azimuth_deg: float) -> Floats:
    """On panels that face `azimuth_deg` (isotropic sky, Liu and Jordan 1963)."""
    from pvlib.irradiance import get_total_irradiance

    found = get_total_irradiance(
        tilt_deg, azimuth_deg, 90 - sun.elevation_deg, sun.azimuth_deg, falls.direct_w_per_m2,
        falls.global_w_per_m2, falls.diffuse_w_per_m2,
    )  # fmt: skip
    plane: Floats = np.maximum(np.nan_to_num(np.asarray(found["poa_global"])), 0.0)
    return plane


def panel_power_kw(plane_w_per_m2: Floats, air_c: Floats, wind_m_per_s: Floats, peak_kw: float) -> Floats:
    """Alternating current of crystalline panels behind an inverter that holds 0.9 of their peak (PVWatts, NREL)."""
    from pvlib.pvsystem import pvwatts_dc  # type: ignore[import-untyped]
    from pvlib.temperature import faiman  # type: ignore[import-untyped]

    cell_c = np.asarray(faiman(plane_w_per_m2, air_c, wind_m_per_s))
    direct = np.asarray(pvwatts_dc(plane_w_per_m2, cell_c, peak_kw, -0.0037))
    found: Floats = np.clip(0.86 * direct, 0.0, 0.9 * peak_kw)
    return found
