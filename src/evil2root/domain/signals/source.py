"""What a source of signals is."""

from collections.abc import Mapping
from typing import Protocol

import polars as pl

from evil2root.domain.market.features import WARM_UP
from evil2root.domain.market.indicators import Floats

Row = Mapping[str, float | None]
"""One row of features by name; none while warming up or undefined."""


class Source(Protocol):
    """Turns features into a probability that the price rises, or abstains. Pure and without memory."""

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
        """Bars ahead the probability speaks of, at least 1."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns of the feature table it reads."""
        ...

    @property
    def warm_up(self) -> int:
        """Rows at the start of a series on which it can't but abstain."""
        ...

    def p_up(self, features: pl.DataFrame) -> pl.Series:
        """One Float64 a row, in [P_UP_MIN, 1 - P_UP_MIN], or null where it abstains; never NaN.

        Row by row: an opinion depends on its own row alone, to the last bit. What lies further back comes in as a
        feature. So a stored row of features is enough to recompute the opinion made from it.
        """
        ...

    def reason(self, row: Row) -> str:
        """One line that says from the row's numbers why it leans as it does, or why it abstains."""
        ...


def longest_warm_up(inputs: tuple[str, ...]) -> int:
    """Warm-up of a source that needs all of `inputs`."""
    return max(WARM_UP[name] for name in inputs)


def columns(features: pl.DataFrame, names: tuple[str, ...]) -> tuple[Floats, ...]:
    """The named columns as arrays, NaN for null."""
    return tuple(features[name].to_numpy() for name in names)


def numbers(row: Row, names: tuple[str, ...]) -> list[float] | None:
    """The named values of a row, or none when one has no value."""
    values = [value for value in map(row.get, names) if value is not None]
    return values if len(values) == len(names) else None


def missing(row: Row, names: tuple[str, ...]) -> str:
    """The reason to abstain when `numbers` finds none."""
    return f"Abstains: no value yet for {', '.join(name for name in names if row.get(name) is None)}."
