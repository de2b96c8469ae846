"""Rounding bottoms and cups with a handle: a parabola through the closes. Tops come in mirrored."""

from collections.abc import Iterator, Sequence

import numpy as np

from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.patterns.pivots import Pivot
from evil2root.domain.signals.patterns.shape import Direction, Line, Shape

BOWL_BARS_MIN = 20
BOWL_BARS_MAX = 400
"""Bounds the work: one parabola of at most this many closes for each pair of rims."""
ROUND_MIN = 0.85
"""Share of the closes' variance that the parabola of a rounding explains at least."""
CUP_MIN = 0.75
RIMS_FRAC = 0.15
"""The rims of a cup differ by at most this share of its depth."""
HANDLE = (0.1, 0.5)
"""A handle gives back so much of the cup's depth."""
RIMS_MAX = 12
"""Earlier rims that are tried for one handle."""


def roundings(close: Floats, rim: Pivot, *, sign: float) -> Iterator[Shape]:
    """A bowl from a rim to the first close beyond it; `close` is signed so that the rim is a high."""
    level = sign * rim.price
    later = close[rim.row + 1 : rim.row + 1 + BOWL_BARS_MAX]
    beyond = np.flatnonzero(later > level)
    if not beyond.size or beyond[0] < BOWL_BARS_MIN:
        return
    end = rim.row + 1 + int(beyond[0])
    inside = close[rim.row : end]
    fit = _roundness(inside)
    if fit < ROUND_MIN:
        return
    depth = level - float(inside.min())
    bottom = rim.row + int(inside.argmin())
    turns = (
        rim,
        Pivot(row=bottom, price=abs(float(inside.min())), is_high=sign < 0, known=end),
        Pivot(row=end, price=abs(float(close[end])), is_high=sign > 0, known=end),
    )
    yield Shape(
        kind="rounding_bottom" if sign > 0 else "rounding_top", turns=turns, known=end, sign=sign,
        upper=Line(at=end, price=level, slope=0.0), lower=Line(at=end, price=level - depth, slope=0.0),
        breaks=Direction.UP, reach_frac=depth, quality=(fit - ROUND_MIN) / (1.0 - ROUND_MIN), patience=0,
    )  # fmt: skip


def cups(close: Floats, turns: Sequence[Pivot]) -> Iterator[Shape]:
    """A cup with a handle that the newest turn, a low, completes; the widest one found."""
    if len(turns) < 4 or turns[-1].is_high:
        return
    right, handle = turns[-2], turns[-1]
    found = None
    for left in (turn for turn in list(turns[:-2])[::-1][: 2 * RIMS_MAX] if turn.is_high):
        if right.row - left.row > BOWL_BARS_MAX:
            break
        shape = _cup(close, left, right, handle)
        found = shape or found
        if left.price > right.price * 1.2:
            break
    if found is not None:
        yield found


def _cup(close: Floats, left: Pivot, right: Pivot, handle: Pivot) -> Shape | None:
    inside = close[left.row : right.row + 1]
    depth = min(left.price, right.price) - float(inside.min())
    if inside.size < BOWL_BARS_MIN or depth <= 0.0 or float(inside.max()) > max(left.price, right.price):
        return None
    rims = abs(left.price - right.price) / depth
    given_back = (right.price - handle.price) / depth
    in_time = handle.row - right.row <= inside.size // 2
    if rims > RIMS_FRAC or not HANDLE[0] <= given_back <= HANDLE[1] or not in_time:
        return None
    fit = _roundness(inside)
    if fit < CUP_MIN:
        return None
    level = max(left.price, right.price)
    bottom = Pivot(row=left.row + int(inside.argmin()), price=float(inside.min()), is_high=False, known=right.known)
    return Shape(
        kind="cup_and_handle", turns=(left, bottom, right, handle), known=handle.known, sign=1.0,
        upper=Line(at=handle.row, price=level, slope=0.0), lower=Line(at=handle.row, price=handle.price, slope=0.0),
        breaks=Direction.UP, reach_frac=depth, quality=(fit - CUP_MIN) / (1.0 - CUP_MIN), patience=inside.size // 2,
    )  # fmt: skip


def _roundness(values: Floats) -> float:
    """R squared of an upright parabola with its foot in the middle; 0 for any other curve."""
    at = np.linspace(-1.0, 1.0, values.size)
    square = at**2 - (at**2).mean()
    centred = values - values.mean()
    total = float((centred**2).sum())
    tilt, bend = float((centred * at).sum() / (at**2).sum()), float((centred * square).sum() / (square**2).sum())
    if total == 0.0 or bend <= 0.0 or abs(tilt / (2.0 * bend)) > 0.4:
        return 0.0
    return 1.0 - float(((centred - tilt * at - bend * square) ** 2).sum()) / total
