"""From metres of the French plane (RGF93, Lambert-93) to degrees: IGN, NT/G 71, algorithm 4, ellipsoid GRS80."""

from math import asin, atan, atanh, degrees, exp, hypot, log, pi, sin, tanh

from parvis.domains.lighting.model.inventory import Place

_EXPONENT, _SCALE_M = 0.725607765053267, 11_754_255.4261
_POLE_X_M, _POLE_Y_M = 700_000.0, 12_655_612.0499
_ECCENTRICITY, _MERIDIAN_DEG = 0.0818191910428158, 3.0
_X_M, _Y_M = (0.0, 1_300_000.0), (6_000_000.0, 7_200_000.0)
_ROUNDS = 6


def is_lambert93(x_m: float, y_m: float) -> bool:
    """Whether it can be a place in metropolitan France."""
    return _X_M[0] <= x_m <= _X_M[1] and _Y_M[0] <= y_m <= _Y_M[1]


def place_of(x_m: float, y_m: float) -> Place:
    east, down = x_m - _POLE_X_M, _POLE_Y_M - y_m
    longitude_deg = _MERIDIAN_DEG + degrees(atan(east / down)) / _EXPONENT
    isometric = -log(hypot(east, down) / _SCALE_M) / _EXPONENT
    latitude = 2 * atan(exp(isometric)) - pi / 2
    for _ in range(_ROUNDS):
        latitude = asin(tanh(isometric + _ECCENTRICITY * atanh(_ECCENTRICITY * sin(latitude))))
    return Place(degrees(latitude), longitude_deg)
