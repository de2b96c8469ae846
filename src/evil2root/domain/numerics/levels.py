"""When a price level acts within a bar, and at which price: for longs as they are, for shorts mirrored.

Every function takes scalars of one number type, `float` or `Decimal`, and returns the same type.
"""

from decimal import Decimal
from typing import TypeVar

N = TypeVar("N", float, Decimal)


def stop_passed_at_open(is_long: bool, open_: N, stop: N) -> bool:  # noqa: FBT001 - a flag numba can take
    """Has the open already passed the stop?"""
    return open_ <= stop if is_long else open_ >= stop


def target_passed_at_open(is_long: bool, open_: N, target: N) -> bool:  # noqa: FBT001
    """Has the open already passed the target?"""
    return open_ >= target if is_long else open_ <= target


def stop_touched(is_long: bool, high: N, low: N, stop: N) -> bool:  # noqa: FBT001
    """Did the bar touch the stop?"""
    return low <= stop if is_long else high >= stop


def target_touched(is_long: bool, high: N, low: N, target: N) -> bool:  # noqa: FBT001
    """Did the bar touch the target?"""
    return high >= target if is_long else low <= target


def stop_price(is_long: bool, open_: N, stop: N) -> N:  # noqa: FBT001
    """Return the worse of stop and open."""
    return min(open_, stop) if is_long else max(open_, stop)


def target_price(is_long: bool, open_: N, target: N) -> N:  # noqa: FBT001
    """Return the target, or an open that is already better."""
    return max(open_, target) if is_long else min(open_, target)


def tighter(is_long: bool, stop: N, candidate: N) -> N:  # noqa: FBT001
    """Return the stop that lies nearer to the price: a stop never loosens."""
    return max(stop, candidate) if is_long else min(stop, candidate)


def trail_armed(is_long: bool, entry: N, best: N, arm_frac: N) -> bool:  # noqa: FBT001
    """Has the best price gone far enough in our favour?"""
    return best >= entry * (1 + arm_frac) if is_long else best <= entry * (1 - arm_frac)


def trail_by_fraction(is_long: bool, best: N, trail_frac: N) -> N:  # noqa: FBT001
    """Return the stop `trail_frac` behind the best price."""
    return best * (1 - trail_frac) if is_long else best * (1 + trail_frac)


def trail_by_distance(is_long: bool, best: N, distance: N) -> N:  # noqa: FBT001
    """Return the stop `distance` behind the best price."""
    return best - distance if is_long else best + distance
