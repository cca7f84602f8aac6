"""Chance as pure functions of (seed, key, step), for arrays: the same numbers as `clockwork` gives one by one."""

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
"""Seconds since the Unix epoch, UTC; one-dimensional."""
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
_MASK = (1 << 64) - 1
_SEED, _KEY, _STEP, _START = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0x8CB92BA72F3D8DD7, 0x632BE5AB


def chance(seed: int, key: int, steps: Ints) -> Floats:
    """Numbers in 0..1 that look random in each argument (SplitMix64's finaliser, Steele et al. 2014)."""
    start = np.uint64((seed * _SEED + key * _KEY + _START) & _MASK)
    x = np.asarray(steps).astype(np.int64).view(np.uint64) * np.uint64(_STEP) + start
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Floats = (x ^ (x >> np.uint64(31))).astype(np.float64) / 2.0**64
    return found


def one_chance(seed: int, key: int, step: int = 0) -> float:
    return float(chance(seed, key, np.array([step]))[0])


def drift(seed: int, key: int, times: Times, scale_s: float) -> Floats:
    """A smooth wandering between -1 and 1 with turns about every `scale_s`."""
    position = times / scale_s
    step = np.floor(position)
    share = position - step
    share = share * share * (3 - 2 * share)
    before, after = chance(seed, key, step.astype(np.int64)), chance(seed, key, step.astype(np.int64) + 1)
    found: Floats = 2 * (before * (1 - share) + after * share) - 1
    return found


def gauss(seed: int, key: int, steps: Ints) -> Floats:
    """Standard normal (Box and Muller 1958)."""
    radius = np.sqrt(-2 * np.log(np.maximum(chance(seed, key, 2 * steps), 1e-12)))
    found: Floats = radius * np.cos(2 * np.pi * chance(seed, key, 2 * steps + 1))
    return found


def poisson(seed: int, key: int, steps: Ints, mean: Floats) -> Ints:
    """Counts of that mean: by inversion where it is small, else by the normal law (error below 1 % of the mean)."""
    few = _few(chance(seed, key, 2 * steps), np.minimum(mean, _MANY))
    many = np.rint(mean + np.sqrt(np.maximum(mean, 0)) * gauss(seed, key, steps))
    found: Ints = np.where(mean < _MANY, few, np.maximum(many, 0)).astype(np.int64)
    return found


_MANY = 30.0


def _few(share: Floats, mean: Floats) -> Floats:
    count, term = np.zeros(len(mean)), np.exp(-mean)
    total = term.copy()
    for number in range(1, 80):
        beyond = share > total
        if not beyond.any():
            break
        count[beyond] = number
        term = term * mean / number
        total = total + term
    return count
