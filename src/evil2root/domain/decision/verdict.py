"""The challenge's answer to a proposal, and what it rests on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.proposal import Proposal


class Ruling(StrEnum):
    """A challenge can say yes, less, or no. It can never say more."""

    ACCEPT = "accept"
    REDUCE = "reduce"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One check of a proposal, with its number."""

    name: str
    score: float
    """In [0, 1]: 0 speaks against, 1 for."""
    weight: float
    """Share in the confidence, in [0, 1]."""
    value: float | None
    """What was measured; none when it could not be."""
    limit: float | None
    """What it was measured against."""
    veto: bool
    """True: this alone rejects the proposal."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Accept, reduce or reject, with the confidence and every factor behind it."""

    ruling: Ruling
    confidence: float
    """Weighted mean of the factor scores, in [0, 1]."""
    size_factor: float
    """What the size is multiplied by, in [0, 1]."""
    factors: tuple[Factor, ...]
    by: str
    """Who judged: `rules`, later also the model that answered."""
    reason: str

    def __post_init__(self) -> None:
        if not (0 <= self.confidence <= 1 and 0 <= self.size_factor <= 1):
            msg = f"Confidence {self.confidence} and size factor {self.size_factor} must lie in [0, 1]."
            raise ValueError(msg)


class Validator(Protocol):
    """Challenges proposals. Raises nothing: what it can't judge it rejects, and says why."""

    async def challenge(self, proposal: Proposal, evidence: Evidence) -> Verdict: ...
