"""Shapes between two lines: triangles, wedges, rectangles, channels, and the flags and pennants behind a pole."""

from collections.abc import Iterator, Sequence

from evil2root.domain.signals.patterns.pivots import Pivot
from evil2root.domain.signals.patterns.shape import Direction, Line, Shape

FIT_FRAC = 0.12
"""No turn lies further from its line than this share of the shape's widest."""
FLAT_FRAC = 0.2
"""A line that moves less than this share of the width over the shape is flat."""
TILTED_FRAC = 0.35
"""A line that moves at least this share is tilted; between the two it is neither, and no name fits."""
PARALLEL_FRAC = 0.2
CONVERGING_FRAC = 0.35
"""Share of its width that the shape loses from its first turn to its last."""
POLE_MIN = 2.5
"""A pole is at least so many times as high as the flag behind it, and no longer than it."""


def bounded(turns: Sequence[Pivot]) -> Iterator[Shape]:
    """Shapes of the newest six turns, three to a line."""
    if len(turns) >= 6:
        shape = _between(turns[-6:])
        if shape is not None:
            yield shape


def _between(turns: Sequence[Pivot]) -> Shape | None:
    highs, lows = ([t for t in turns if t.is_high], [t for t in turns if not t.is_high])
    upper, lower = Line.through(highs), Line.through(lows)
    start, end = turns[0].row, turns[-1].row
    width, last_width = upper(start) - lower(start), upper(end) - lower(end)
    widest = max(width, last_width)
    if min(width, last_width) <= 0.0:
        return None
    misfits = [abs(turn.price - (upper if turn.is_high else lower)(turn.row)) for turn in turns]
    misfit = max(misfits) / widest
    if misfit > FIT_FRAC:
        return None
    above, below = (line.slope * (end - start) / widest for line in (upper, lower))
    named = _named(above, below, 1.0 - last_width / width)
    if named is None:
        return None
    kind, breaks = named
    return Shape(
        kind=kind, turns=tuple(turns), known=turns[-1].known, sign=1.0, upper=upper, lower=lower, breaks=breaks,
        reach_frac=widest, quality=1.0 - misfit / FIT_FRAC, patience=(end - start) // 2,
    )  # fmt: skip


def _named(above: float, below: float, narrows: float) -> tuple[str, Direction | None] | None:
    """Kind and the side it breaks to, from the lines' rise over the shape and its loss of width."""
    flat_above, flat_below = abs(above) <= FLAT_FRAC, abs(below) <= FLAT_FRAC
    if flat_above and flat_below and abs(narrows) <= CONVERGING_FRAC:
        return "rectangle", None
    if narrows >= CONVERGING_FRAC:
        if flat_above and below >= TILTED_FRAC:
            return "ascending_triangle", Direction.UP
        if flat_below and above <= -TILTED_FRAC:
            return "descending_triangle", Direction.DOWN
        if above <= -FLAT_FRAC and below >= FLAT_FRAC:
            return "symmetric_triangle", None
        if above >= FLAT_FRAC and below >= TILTED_FRAC:
            return "rising_wedge", Direction.DOWN
        if below <= -FLAT_FRAC and above <= -TILTED_FRAC:
            return "falling_wedge", Direction.UP
    if abs(narrows) <= PARALLEL_FRAC and min(abs(above), abs(below)) >= TILTED_FRAC and above * below > 0.0:
        return "channel", None
    return None


def flags(turns: Sequence[Pivot], *, sign: float) -> Iterator[Shape]:
    """A steep pole, then at least four turns that drift sideways or against it: turns 0 and 1 are the pole's ends.

    With `sign` 1 the pole rises and the newest turn is a low.
    """
    if len(turns) < 5:
        return
    five = turns[-5:]
    foot, tip, dip, top, low = (sign * turn.price for turn in five)
    pole, height = tip - foot, tip - min(dip, low)
    length, rest = five[1].row - five[0].row, five[4].row - five[1].row
    if height <= 0.0 or pole < POLE_MIN * height or length > rest or top > tip + 0.1 * height:
        return
    upper, lower = Line.through((five[1], five[3]), sign=sign), Line.through((five[2], five[4]), sign=sign)
    width, last = upper(five[1].row) - lower(five[1].row), upper(five[4].row) - lower(five[4].row)
    if min(width, last) <= 0.0 or (upper.slope > 0.0 and lower.slope > 0.0):
        return
    narrows = 1.0 - last / width
    if narrows >= CONVERGING_FRAC and upper.slope < 0.0 < lower.slope:
        kind = "pennant"
    elif abs(narrows) <= CONVERGING_FRAC:
        kind = "flag"
    else:
        return
    yield Shape(
        kind=kind, turns=tuple(five), known=five[-1].known, sign=sign, upper=upper, lower=lower, breaks=Direction.UP,
        reach_frac=pole, quality=max(0.0, 1.0 - POLE_MIN * height / pole), patience=rest,
    )  # fmt: skip
