"""What a source of signals is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.inputs import WARM_UP

Row = Mapping[str, float | None]
"""One row of features by name; none while warming up or undefined."""

PHRASES_MAX = 3
"""What a reason names at most: a line that lists everything says nothing."""

PART_MIN = 0.005
"""A part that would read as 0.00 is not named."""

OUT_OF_RANGE = "Abstains: its numbers lie outside of anything a market shows."


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What a source finds in a table of features."""

    scores: Floats
    """One a row, in [-1, 1] (falls to rises); NaN where it abstains."""
    parts: tuple[Floats, ...]
    """What each of its votes adds to the score; NaN where a vote has nothing to go by. As many as `phrases`."""


class Source(Protocol):
    """Turns features into a score for the price to rise, or abstains. Pure and without memory.

    Row by row: a score depends on its own row alone, to the last bit. What lies further back comes in as a feature.
    So a stored row of features is enough to recompute the opinion made from it. Only correctly rounded operations
    (+ - * / and comparisons) are used: numpy's vector `exp` may round by a number's place in the array.
    """

    @property
    def name(self) -> str:
        """Unique among the sources, stable: weights and records go by it."""
        ...

    @property
    def version(self) -> str:
        """Raised when the same features would give another opinion."""
        ...

    @property
    def horizon(self) -> int:
        """Bars ahead the score speaks of, at least 1."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns of the feature table it reads."""
        ...

    @property
    def warm_up(self) -> int:
        """Rows at the start of a series on which it can't but abstain."""
        ...

    def weigh(self, features: pl.DataFrame) -> Weighed:
        """Scores of every row, and what they are made of."""
        ...

    def phrases(self, row: Row) -> tuple[str, ...]:
        """What each vote saw, one a part, from the numbers of a row on which it speaks."""
        ...

    def silence(self, row: Row) -> str:
        """Why it abstains on this row: one line, with the number and the threshold it would have to pass."""
        ...


def longest_warm_up(inputs: tuple[str, ...]) -> int:
    """Warm-up of a source that needs all of `inputs`."""
    return max(WARM_UP[name] for name in inputs)


def columns(features: pl.DataFrame, names: tuple[str, ...]) -> tuple[Floats, ...]:
    """The named columns as arrays, NaN for null."""
    return tuple(features[name].to_numpy() for name in names)


def ratio(above: Floats, below: Floats) -> Floats:
    """A quotient that is NaN where there is nothing above 0 to divide by, and never warns."""
    with np.errstate(all="ignore"):
        quotient: Floats = above / np.where(below > 0.0, below, np.nan)
    return quotient


def clipped(values: Floats) -> Floats:
    """Values held to [-1, 1]; NaN stays."""
    return np.clip(values, -1.0, 1.0)


def share(values: Floats) -> Floats:
    """Values held to [0, 1]; NaN stays."""
    return np.clip(values, 0.0, 1.0)


def pooled(parts: Sequence[Floats], *, optional: Sequence[Floats] = (), speaks: np.ndarray | None = None) -> Weighed:
    """The sum of the parts, in their order, held to [-1, 1]; NaN unless every part is there and `speaks` holds.

    An optional part that has nothing to go by adds nothing.
    """
    total = parts[0].copy()
    for part in parts[1:]:
        total = total + part
    for part in optional:
        total = total + np.where(np.isnan(part), 0.0, part)
    if speaks is not None:
        total = np.where(speaks, total, np.nan)
    return Weighed(scores=clipped(total), parts=(*parts, *optional))


def numbers(row: Row, names: tuple[str, ...]) -> list[float] | None:
    """The named values of a row, or none when one has no value."""
    values = [value for value in map(row.get, names) if value is not None]
    return values if len(values) == len(names) else None


def known(row: Row, name: str) -> float:
    """A value of a row, NaN for none."""
    value = row.get(name)
    return float("nan") if value is None else value


def missing(row: Row, names: tuple[str, ...]) -> str:
    """The reason to abstain when `numbers` finds none."""
    return f"Abstains: no value yet for {', '.join(name for name in names if row.get(name) is None)}."


def than(value: float, other: float) -> str:
    """Above, below or at."""
    if value == other:
        return "at"
    return "above" if value > other else "below"


def reason(source: Source, row: Row, *, score: float, parts: Sequence[float]) -> str:
    """One line: the score and the votes that made most of it, or why there is none.

    A score is no probability, and past outcomes may read it against its sign: `calibration.reading` says how.
    """
    if score != score:  # noqa: PLR0124 - NaN
        return source.silence(row)
    told = [(phrase, part) for phrase, part in zip(source.phrases(row), parts, strict=True) if abs(part) >= PART_MIN]
    told.sort(key=_size, reverse=True)
    votes = "; ".join(f"{phrase} ({part:+.2f})" for phrase, part in told[:PHRASES_MAX])
    return f"Score {score:+.2f}: {votes}." if votes else f"Score {score:+.2f}."


def _size(told: tuple[str, float]) -> float:
    return abs(told[1])
