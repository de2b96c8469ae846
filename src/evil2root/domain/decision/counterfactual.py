"""What would have had to be otherwise for a view to be acted on: one source at a time, all others left as they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from evil2root.domain.signals.odds import logistic
from evil2root.domain.signals.values import P_UP_MIN, Signal, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """The probability with which one source alone would have brought the view to its threshold, or below it."""

    source: str
    p_up: float
    """What it said."""
    p_up_needed: float
    """What it would have had to say, in (0, 1): beyond `P_UP_MIN` nothing it could say would have been enough."""

    @property
    def distance(self) -> float:
        """How far it was from that, in probability."""
        return abs(self.p_up_needed - self.p_up)

    @property
    def is_possible(self) -> bool:
        """Could any source say so?"""
        return P_UP_MIN <= self.p_up_needed <= 1.0 - P_UP_MIN


def score_short(view: View, *, threshold: float) -> float:
    """How far the view's score was from being acted on; below 0 when it was strong enough, by so much."""
    return threshold - abs(view.score)


def counterfactuals(signals: Sequence[Signal], view: View | None, *, threshold: float) -> tuple[Counterfactual, ...]:
    """Each source that spoke and weighed something, the nearest to changing what was done first.

    For a view too weak: what the source would have had to say for it to reach the threshold on the side it leans
    to. For one strong enough: what would have kept it below. The weights are those that held.
    """
    if view is None:
        return ()
    asked = log((1.0 + threshold) / (1.0 - threshold)) * view.side.sign
    found = [
        Counterfactual(
            source=signal.source, p_up=signal.p_up,
            p_up_needed=logistic((signal.contribution + asked - view.log_odds) / signal.weight),
        )
        for signal in signals
        if signal.p_up is not None and signal.weight > 0.0
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: one.distance))
