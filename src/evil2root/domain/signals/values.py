"""What sources say and what they say together."""

from dataclasses import dataclass
from math import isfinite

from evil2root.domain.core.side import Side

P_UP_MIN = 1e-6
"""Nobody is surer than a million to one, in either direction. A source that would be is clipped by its calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one source says on one bar, before it is weighed against the others."""

    source: str
    version: str
    horizon: int
    """Bars ahead the probability speaks of."""
    p_up: float | None
    """Probability that the price rises, in [P_UP_MIN, 1 - P_UP_MIN]; none when the source abstains."""
    reason: str
    """One line made from its numbers."""

    def __post_init__(self) -> None:
        _check_horizon(self.source, self.horizon)
        _check_p_up(self.source, self.p_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """An opinion with the part it had in the view: what the decision's record keeps."""

    source: str
    version: str
    horizon: int
    """Bars ahead the probability speaks of."""
    p_up: float | None
    """Probability that the price rises, in [P_UP_MIN, 1 - P_UP_MIN]; none when the source abstains."""
    weight: float
    """Share in the pool among the sources that spoke, in [0, 1]; zero when the source abstained."""
    contribution: float
    """What it adds to the pooled log-odds; zero when it abstained."""
    reason: str
    """One line made from its numbers."""

    def __post_init__(self) -> None:
        _check_horizon(self.source, self.horizon)
        _check_p_up(self.source, self.p_up)
        if not 0.0 <= self.weight <= 1.0 or not isfinite(self.contribution):
            msg = f"{self.source} weighs {self.weight} and adds {self.contribution}; a weight lies in [0, 1], and what is added is finite."
            raise ValueError(msg)
        if self.p_up is None and (self.weight != 0.0 or self.contribution != 0.0):
            msg = f"{self.source} abstained, yet weighs {self.weight} and adds {self.contribution}; both must be 0."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The fused signal."""

    p_up: float
    """Pooled probability of a rise, in (0, 1)."""
    log_odds: float
    """Sum of the contributions, rounded once (`math.fsum`)."""
    agreeing: int
    """Sources on the view's side."""
    speaking: int
    """Sources with an opinion."""

    def __post_init__(self) -> None:
        if not (0.0 < self.p_up < 1.0 and isfinite(self.log_odds)):
            msg = f"A view of p_up {self.p_up} and log-odds {self.log_odds} is none: p_up lies inside (0, 1)."
            raise ValueError(msg)
        if not 0 <= self.agreeing <= self.speaking or self.speaking == 0:
            msg = f"{self.agreeing} of {self.speaking} sources agree: at least one must speak, and no more agree than speak."
            raise ValueError(msg)

    @property
    def score(self) -> float:
        """The probability on a scale from -1 (falls) to +1 (rises)."""
        return 2 * self.p_up - 1

    @property
    def side(self) -> Side:
        """The side the view leans to; a view of exactly one half leans nowhere and reads as a buy of score 0."""
        return Side.BUY if self.p_up >= 0.5 else Side.SELL


def _check_p_up(source: str, p_up: float | None) -> None:
    if p_up is not None and not P_UP_MIN <= p_up <= 1.0 - P_UP_MIN:
        msg = f"{source} says p_up {p_up}; it must lie in [{P_UP_MIN}, {1.0 - P_UP_MIN}] (clip it), or be none."
        raise ValueError(msg)


def _check_horizon(source: str, horizon: int) -> None:
    if horizon < 1:
        msg = f"{source} speaks of {horizon} bars ahead; at least 1 is asked."
        raise ValueError(msg)
