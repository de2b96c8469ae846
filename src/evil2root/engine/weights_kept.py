"""What the faces may ask about the sources' default weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from evil2root.domain.kernel.actions import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightChange:
    """One version of the default weights."""

    number: int
    at: datetime
    actor: str
    weights: Mapping[str, float] | None
    """None: back to those of the settings."""


class Weighing(Protocol):
    """The default weights of the strategy in force."""

    @property
    def newest(self) -> WeightChange | None:
        """The change in force; none as long as nobody made one."""
        ...

    async def weigh(self, asked: Mapping[str, float] | None, *, by: str, origin: str, seen: int | None = None) -> Reply:
        """Give sources other weights, from the next decision on; none gives back those of the settings.

        Sources that are not named keep theirs. `seen` is the number of the change whose weights the asker looked at, 0
        for those of the settings: when another one is in force by now, nothing is changed. Raises `ValueError` for a source that is unknown, and when all weights
        together do not sum to one.
        """
        ...
