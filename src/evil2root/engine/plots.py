"""Plots over time and histograms as SVG: no script, no inline style, coloured by CSS classes, readable on paper.

Whatever text comes in is escaped; whatever comes out is markup.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup, escape

Words = Callable[[float], str]

POINTS_MAX = 1_440
"""Points a line is drawn with: two a pixel on the widest page."""
_WIDTH = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 64, 10, 26
_LABELS_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A straight map from a range of values to a range of pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * (value - self.low) / ((self.high - self.low) or 1.0)


def lines(  # noqa: PLR0913 - what is drawn, how it is named, how tall
    times: Sequence[datetime],
    series: Mapping[str, Sequence[float | None]],
    *,
    label: str,
    words: Words,
    height: int = 220,
    is_filled: bool = False,
    has_zero: bool = False,
) -> Markup:
    """Draw one or more lines over shared times, at least two; a line is broken where its value is None.

    Keys are CSS classes, the first is drawn on top and filled. `has_zero` keeps zero in sight and fills down to it.
    """
    known = [v for values in series.values() for v in values if v is not None] + ([0.0] if has_zero else [])
    low, high = min(known, default=0.0), max(known, default=1.0)
    x = Scale(low=times[0].timestamp(), high=times[-1].timestamp(), start=_LEFT, end=_WIDTH - _RIGHT)
    y = Scale(low=low, high=high, start=height - _BOTTOM, end=_TOP)
    body = "".join(
        f'<path class="grid" d="M{_LEFT} {y(t):.1f}H{_WIDTH - _RIGHT}"/>'
        f'<text x="{_WIDTH - _RIGHT + 8}" y="{y(t) + 4:.1f}">{escape(words(t))}</text>'
        for t in ticks(low, high)
    )
    body += "".join(
        f'<text class="x" x="{x(at.timestamp()):.1f}" y="{height - 5}">{escape(name)}</text>'
        for at, name in time_labels(times[0], times[-1])
    )
    top = next(iter(series))
    for name, values in reversed(tuple(series.items())):
        for part in _unbroken(times, values):
            path = "M" + "L".join(f"{x(at.timestamp()):.1f} {y(v):.1f}" for at, v in thinned(part))
            if is_filled and name == top:
                base, first, last = y(0.0 if has_zero else low), x(part[0][0].timestamp()), x(part[-1][0].timestamp())
                body += f'<path class="area {escape(name)}" d="{path}L{last:.1f} {base:.1f}L{first:.1f} {base:.1f}z"/>'
            body += f'<path class="line {escape(name)}" d="{path}"/>'
    return _frame(_WIDTH, height, label, body)


def histogram(values: Sequence[float], *, label: str, words: Words, step: float, reach: float) -> Markup:
    """Draw how often each class of width `step` occurs between -reach and reach; what lies beyond is in the outermost."""
    half = round(reach / step)
    counts = [0] * (2 * half)
    for value in values:
        counts[min(max(math.floor(value / step) + half, 0), 2 * half - 1)] += 1
    width, height, foot = 640, 300, 26
    each, most = width / len(counts), max(*counts, 1)
    body = ""
    for n, count in enumerate(counts):
        low, tall = (n - half) * step, (height - foot - 10) * count / most
        if n == 0:
            says = f"below {words(low + step)}"
        elif n == len(counts) - 1:
            says = f"{words(low)} and more"
        else:
            says = f"{words(low)} to {words(low + step)}"
        body += (
            f'<rect class="{"down" if n < half else "up"}" x="{n * each + 1:.1f}" y="{height - foot - tall:.1f}" '
            f'width="{each - 2:.1f}" height="{tall:.1f}"><title>{escape(says)}: {count}</title></rect>'
        )
    body += f'<path class="grid" d="M0 {height - foot}H{width}"/>'
    for n in range(0, len(counts) + 1, max(1, round(1 / step))):
        if 0 < n < len(counts):
            body += f'<text class="x" x="{n * each:.1f}" y="{height - 7}">{escape(words((n - half) * step))}</text>'
    return _frame(width, height, label, body)


def thinned(points: Sequence[tuple[datetime, float]], *, most: int = POINTS_MAX) -> list[tuple[datetime, float]]:
    """Return at most `most` points, first and last among them: of every stretch its lowest and its highest."""
    if len(points) <= most:
        return list(points)
    kept = {0, len(points) - 1}
    stretches = most // 2 - 1
    for n in range(stretches):
        stretch = range(n * len(points) // stretches, (n + 1) * len(points) // stretches)
        kept |= {min(stretch, key=lambda i: points[i][1]), max(stretch, key=lambda i: points[i][1])}
    return [points[i] for i in sorted(kept)]


def ticks(low: float, high: float, *, about: int = 4) -> list[float]:
    """Return round values within [low, high], three to eight of them; the one value when both are the same."""
    if high <= low:
        return [low]
    raw = (high - low) / about
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def time_labels(start: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """Return up to eight moments within [start, end] with their names: days, months or years, as the span asks for."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    months = (end.year - start.year) * 12 + end.month - start.month
    if months < 3:
        few = [start + (end - start) * n / 4 for n in range(1, 4)]
        return [(at, f"{at.day} {at:%b}") for at in few]
    step = next((s for s in (1, 2, 3, 4, 6, 12, 24, 60, 120) if months / s <= _LABELS_MAX), 240)
    found = []
    first = start.year * 12 + start.month  # the month after the first one, counted from zero
    for month in range(-(-first // step) * step, end.year * 12 + end.month, step):
        at = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        found.append((at, f"{at:%Y}" if step >= 12 else f"{at:%b %Y}" if at.month == 1 else f"{at:%b}"))
    return found


def _unbroken(times: Sequence[datetime], values: Sequence[float | None]) -> list[list[tuple[datetime, float]]]:
    parts: list[list[tuple[datetime, float]]] = [[]]
    for at, value in zip(times, values, strict=True):
        if value is not None:
            parts[-1].append((at, value))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _frame(width: int, height: int, label: str, body: str) -> Markup:
    # Every text in `body` was escaped where it was put in.
    return Markup(  # noqa: S704
        f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{body}</svg>'
    )
