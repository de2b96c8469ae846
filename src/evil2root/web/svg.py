"""Charts drawn by the server as SVG geometry: no script, no inline style, coloured by CSS classes.

Everything here is numbers already turned into attribute text, so that templates hold no arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from evil2root.web import format as f

SPARK_WIDTH, SPARK_HEIGHT = 72, 22
WARM, HOT = 0.70, 0.95
"""Share of a limit from which a bar turns blue, and amber."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A bar from 0 to 100."""

    width: str
    heat: str
    """Empty, `warm` or `hot`."""
    label: str


def meter(share: float, *, label: str, heat: bool = True) -> Meter:
    """A share of a limit, in [0, 1] and beyond; the bar stops at its end, the label says more."""
    held = min(max(share, 0.0), 1.0)
    warmth = "hot" if share >= HOT else "warm" if share >= WARM else ""
    return Meter(width=f"{held * 100:.1f}", heat=warmth if heat else "", label=label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverging:
    """A bar from the middle of 100 to the left or right."""

    x: str
    width: str
    tone: str
    label: str
    ticks: tuple[str, ...]


def diverging(value: float, *, scale: float = 1.0, label: str, ticks: Sequence[float] = ()) -> Diverging:
    """A signed value on [-scale, scale]; `ticks` are marked on the same scale."""
    width = min(abs(value) / scale, 1.0) * 50
    return Diverging(
        x=f"{50 if value >= 0 else 50 - width:.1f}",
        width=f"{width:.1f}",
        tone="up" if value >= 0 else "down",
        label=label,
        ticks=tuple(f"{50 + max(-1.0, min(1.0, t / scale)) * 50:.1f}" for t in ticks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeBar:
    """Where the price stands between stop and target; the entry is a notch."""

    from_x: str
    width: str
    tone: str
    """`win` or `lose`."""
    entry_x: str
    last_x: str
    label: str


def range_bar(*, stop: float, target: float, entry: float, last: float, label: str) -> RangeBar:
    """A bar from stop (left) to target (right), for a short as well; beyond the ends it stops at them."""
    span = (target - stop) or 1.0

    def place(at: float) -> float:
        return min(max((at - stop) / span, 0.0), 1.0) * 96 + 2

    e, now = place(entry), place(last)
    return RangeBar(
        from_x=f"{min(e, now):.1f}",
        width=f"{abs(e - now):.1f}",
        tone="win" if now >= e else "lose",
        entry_x=f"{e - 0.5:.1f}",
        last_x=f"{now - 1:.1f}",
        label=label,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """A small line without axes."""

    path: str
    tone: str


def spark(values: Sequence[float]) -> Spark | None:
    """The path of a series, scaled to its own range; none for fewer than two values."""
    if len(values) < 2:
        return None
    low, high = min(values), max(values)
    step = SPARK_WIDTH / (len(values) - 1)
    span = (high - low) or 1.0
    points = [(i * step, 2 + (SPARK_HEIGHT - 4) * (1 - (v - low) / span)) for i, v in enumerate(values)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return Spark(path=path, tone="up" if values[-1] >= values[0] else "down")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a histogram."""

    x: str
    y: str
    width: str
    height: str
    tone: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A label under the axis."""

    x: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of values by class, with a line at zero."""

    view_box: str
    columns: tuple[Column, ...]
    ticks: tuple[Tick, ...]
    zero_x: str
    label: str


def histogram(values: Sequence[float], *, step: float = 0.5, reach: float = 4.0, label: str) -> Histogram | None:
    """How often each class of width `step` occurs; what lies beyond `reach` is counted in the outermost classes."""
    if not values:
        return None
    half = round(reach / step)
    counts = [0] * (2 * half)
    for value in values:
        counts[min(max(int((value + reach) // step), 0), 2 * half - 1)] += 1
    width, height, foot = 720.0, 160.0, 22.0
    each, most = width / len(counts), max(counts)
    columns = []
    for i, n in enumerate(counts):
        low = -reach + i * step
        tall = (height - foot - 10) * n / most
        edge = "or less" if i == 0 else "or more" if i == len(counts) - 1 else f"to {f.multiple(low + step)}"
        start = low + step if i == 0 else low
        columns.append(
            Column(
                x=f"{i * each + 1:.1f}", y=f"{height - foot - tall:.1f}", width=f"{each - 2:.1f}",
                height=f"{tall:.1f}", tone="down" if low < 0 else "up", title=f"{f.multiple(start)} {edge}: {n}",
            )
        )  # fmt: skip
    whole = range(int(1 - reach), int(reach))
    ticks = [Tick(x=f"{(at + reach) / step * each:.1f}", text=f.multiple(at).replace(".00", "")) for at in whole]
    return Histogram(
        view_box=f"0 0 {width:.0f} {height:.0f}", columns=tuple(columns), ticks=tuple(ticks),
        zero_x=f"{width / 2:.1f}", label=label,
    )  # fmt: skip
