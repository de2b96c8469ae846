"""Double and triple tops, head and shoulders: written for tops, bottoms come in mirrored."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from evil2root.domain.signals.patterns.pivots import Pivot
from evil2root.domain.signals.patterns.shape import Direction, Line, Shape

EQUAL_FRAC = 0.15
"""Two tops are equal when they differ by at most this share of the pattern's height."""
DOUBLE_EQUAL_FRAC = 0.12
"""The two tops of a double have nothing else to show for themselves: they are held to less."""
ADVANCE_FRAC = 0.75
"""A double turns a move that was there: it began this share of the pattern's height beyond the neck, at least."""
SHOULDERS_FRAC = 0.3
"""Shoulders may differ by this share of the head's height over the neckline, the neckline's ends likewise."""
HEAD_MIN_FRAC = 0.2
"""The head stands this share of its height or more above both shoulders."""
STEP_MAX = 2.5
"""The longer of two halves is at most this many times the shorter."""

_NAMES = {
    "double": ("double_top", "double_bottom"),
    "triple": ("triple_top", "triple_bottom"),
    "head": ("head_and_shoulders", "inverse_head_and_shoulders"),
}


def reversals(turns: Sequence[Pivot], *, sign: float) -> Iterator[Shape]:
    """Shapes that the newest turn completes. `turns` alternate; with `sign` 1 the newest must be a high."""
    if len(turns) >= 4:
        yield from _double(turns[-4:], sign=sign)
    if len(turns) >= 6:
        yield from _triple(turns[-6:], sign=sign)
        yield from _head(turns[-6:], sign=sign)


def _name(of: str, sign: float) -> str:
    return _NAMES[of][0 if sign > 0 else 1]


def _even(*rows: int) -> bool:
    steps = [b - a for a, b in pairwise(rows)]
    return max(steps) <= STEP_MAX * min(steps)


def _double(turns: Sequence[Pivot], *, sign: float) -> Iterator[Shape]:
    before, first, neck, second = (sign * turn.price for turn in turns)
    height = (first + second) / 2.0 - neck
    misfit = abs(first - second) / height if height > 0.0 else 1.0
    rows = [turn.row for turn in turns[1:]]
    if misfit <= DOUBLE_EQUAL_FRAC and before <= neck - ADVANCE_FRAC * height and _even(*rows):
        share = misfit / DOUBLE_EQUAL_FRAC
        yield _flat(_name("double", sign), turns[1:], sign, neck=neck, height=height, misfit=share)


def _triple(turns: Sequence[Pivot], *, sign: float) -> Iterator[Shape]:
    before, first, dip, second, dip_two, third = (sign * turn.price for turn in turns)
    neck = min(dip, dip_two)
    height = (first + second + third) / 3.0 - neck
    if height <= 0.0:
        return
    misfit = (max(first, second, third) - min(first, second, third)) / height
    dips = abs(dip - dip_two) / height
    rows = [turns[at].row for at in (1, 3, 5)]
    if misfit <= EQUAL_FRAC and dips <= SHOULDERS_FRAC and before < neck and _even(*rows):
        share = max(misfit / EQUAL_FRAC, dips / SHOULDERS_FRAC)
        yield _flat(_name("triple", sign), turns[1:], sign, neck=neck, height=height, misfit=share)


def _head(turns: Sequence[Pivot], *, sign: float) -> Iterator[Shape]:
    before, left, dip, head, dip_two, right = (sign * turn.price for turn in turns)
    neckline = Line.through((turns[2], turns[4]), sign=sign)
    height = head - neckline(turns[3].row)
    if height <= 0.0:
        return
    shoulders, tilt = abs(left - right) / height, abs(dip - dip_two) / height
    stands = (head - max(left, right)) / height
    shoulder = min(left - neckline(turns[1].row), right - neckline(turns[5].row)) / height
    rows = [turns[at].row for at in (1, 3, 5)]
    if (
        max(shoulders, tilt) <= SHOULDERS_FRAC
        and stands >= HEAD_MIN_FRAC
        and shoulder >= 0.2
        and before < min(dip, dip_two)
        and _even(*rows)
    ):
        yield Shape(
            kind=_name("head", sign), turns=tuple(turns[1:]), known=turns[-1].known, sign=sign,
            upper=Line(at=turns[5].row, price=right, slope=0.0), lower=neckline, breaks=Direction.DOWN,
            reach_frac=height, quality=1.0 - max(shoulders, tilt) / SHOULDERS_FRAC,
            patience=turns[5].row - turns[1].row,
        )  # fmt: skip


def _flat(  # noqa: PLR0913 - the parts of the shape
    kind: str, turns: Sequence[Pivot], sign: float, *, neck: float, height: float, misfit: float
) -> Shape:
    last = turns[-1].row
    top = max(sign * turn.price for turn in turns)
    return Shape(
        kind=kind, turns=tuple(turns), known=turns[-1].known, sign=sign,
        upper=Line(at=last, price=top, slope=0.0), lower=Line(at=last, price=neck, slope=0.0),
        breaks=Direction.DOWN, reach_frac=height, quality=1.0 - misfit, patience=last - turns[0].row,
    )  # fmt: skip
