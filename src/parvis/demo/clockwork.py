"""Time and chance as pure functions: whatever the simulation shows at an instant follows from seed and instant alone.

So a backfill and the live play meet without a seam, and a restarted demonstration goes on where it would have been.
"""

from math import floor

Instant = int
US_PER_S = 1_000_000
MASK = (1 << 64) - 1


def chance(seed: int, key: int, step: int = 0) -> float:
    """A number in 0..1 that looks random in each argument (SplitMix64's finaliser, Steele et al. 2014)."""
    x = (seed * 0x9E3779B97F4A7C15 + key * 0xD1B54A32D192ED03 + step * 0x8CB92BA72F3D8DD7 + 0x632BE5AB) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return (x ^ (x >> 31)) / 2**64


def drift(seed: int, key: int, time_s: float, scale_s: float) -> float:
    """A smooth wandering between -1 and 1 with turns about every `scale_s`."""
    position = time_s / scale_s
    step = floor(position)
    share = position - step
    share = share * share * (3 - 2 * share)
    return 2 * (chance(seed, key, step) * (1 - share) + chance(seed, key, step + 1) * share) - 1
