"""Validation by factors: trend agreement, reward to risk, freshness, and the stop on the right side.

Pure and deterministic; needs the features `close`, `sma_50`, `sma_200`, `ret_20`.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import fsum

from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.decision.verdict import Factor, Ruling, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """How hard proposals are challenged."""

    threshold: float = 0.65
    """Least confidence that lets a proposal through, in [0, 1]."""
    reward_to_risk_min: float = 1.5
    age_max: timedelta = timedelta(minutes=5)
    """How long after the bar's close a proposal may be made."""
    trend_weight: float = 0.40
    reward_weight: float = 0.25
    conviction_weight: float = 0.25
    freshness_weight: float = 0.10

    def __post_init__(self) -> None:
        total = fsum((self.trend_weight, self.reward_weight, self.conviction_weight, self.freshness_weight))
        if abs(total - 1) > 1e-9:
            msg = f"The factor weights sum to {total}; they must sum to 1."
            raise ValueError(msg)
        if not 0 <= self.threshold <= 1:
            msg = f"The confidence threshold {self.threshold} must lie in [0, 1]."
            raise ValueError(msg)


def challenge(proposal: Proposal, evidence: Evidence, rules: Challenge) -> Verdict:
    """Judge a proposal by its factors."""
    factors = (
        trend_agreement(proposal, evidence, weight=rules.trend_weight),
        reward_to_risk(proposal, least=rules.reward_to_risk_min, weight=rules.reward_weight),
        conviction(proposal, evidence, weight=rules.conviction_weight),
        freshness(proposal, evidence, age_max=rules.age_max, weight=rules.freshness_weight),
        stop_protects(proposal),
    )
    confidence = min(1.0, fsum(f.weight * f.score for f in factors))
    vetoes = [f.reason for f in factors if f.veto]
    if vetoes:
        return _verdict(Ruling.REJECT, confidence, 0.0, factors, " ".join(vetoes))
    if confidence < rules.threshold:
        weakest = min(factors[:4], key=lambda f: (f.score - 1) * f.weight)
        why = f"Confidence {confidence:.3f} is below {rules.threshold:g}. {weakest.reason}"
        return _verdict(Ruling.REJECT, confidence, 0.0, factors, why)
    why = f"Confidence {confidence:.3f} reaches {rules.threshold:g}."
    ruling = Ruling.ACCEPT if confidence >= 1.0 else Ruling.REDUCE
    return _verdict(ruling, confidence, confidence, factors, why + f" Size is multiplied by {confidence:.3f}.")


def trend_agreement(proposal: Proposal, evidence: Evidence, *, weight: float) -> Factor:
    """Score the side against the market's trend: three equal votes, each for, against or silent while warming up.

    The votes: close against its 200-bar mean, the 50-bar mean against the 200-bar mean, the 20-bar return.
    """
    close, middle, slow, ret = (evidence.feature(n) for n in ("close", "sma_50", "sma_200", "ret_20"))
    pairs = ((close, slow), (middle, slow), (ret, 0.0))
    votes = [(a - b) * proposal.side.sign > 0 for a, b in pairs if a is not None and b is not None]
    if not votes:
        return Factor(
            name="trend_agreement", score=0.5, weight=weight, value=None, limit=None, veto=False,
            reason="The trend can't be read yet: fewer than 21 bars.",
        )  # fmt: skip
    score = sum(votes) / len(votes)
    return Factor(
        name="trend_agreement", score=score, weight=weight, value=float(sum(votes)), limit=float(len(votes)),
        veto=False, reason=f"{sum(votes)} of {len(votes)} trend measures agree with a {proposal.side}.",
    )  # fmt: skip


def reward_to_risk(proposal: Proposal, *, least: float, weight: float) -> Factor:
    """Score 1 from `least` upwards; below it the proposal is rejected."""
    ratio = proposal.reward_to_risk
    if ratio is None:
        return Factor(
            name="reward_to_risk", score=0.0, weight=weight, value=None, limit=least, veto=True,
            reason="Without both a stop and a target there is no reward to weigh against the risk.",
        )  # fmt: skip
    value = float(ratio)
    enough = value >= least
    return Factor(
        name="reward_to_risk", score=min(1.0, value / least), weight=weight, value=value, limit=least,
        veto=not enough, reason=f"Reward to risk is {value:.2f}, at least {least:g} is asked.",
    )  # fmt: skip


def conviction(proposal: Proposal, evidence: Evidence, *, weight: float) -> Factor:
    """Score the share of speaking sources that agree with the side."""
    votes = [(s.p_up - 0.5) * proposal.side.sign > 0 for s in evidence.signals if s.p_up is not None]
    agreeing = sum(votes)
    return Factor(
        name="source_agreement", score=agreeing / len(votes) if votes else 0.0, weight=weight, value=float(agreeing),
        limit=float(len(votes)), veto=False, reason=f"{agreeing} of {len(votes)} speaking sources agree.",
    )  # fmt: skip


def freshness(proposal: Proposal, evidence: Evidence, *, age_max: timedelta, weight: float) -> Factor:
    """Reject what was proposed too long after the bar it rests on was known."""
    age = (proposal.made_at - evidence.bar.closed_at).total_seconds()
    limit = age_max.total_seconds()
    fresh = 0 <= age <= limit
    return Factor(
        name="freshness", score=1.0 if fresh else 0.0, weight=weight, value=age, limit=limit, veto=not fresh,
        reason=f"The bar was known {age:g} s before the proposal, at most {limit:g} s is allowed.",
    )  # fmt: skip


def stop_protects(proposal: Proposal) -> Factor:
    """Reject a proposal without a stop. A stop on the wrong side can't be built: `Proposal` refuses it."""
    protects = proposal.stop is not None and (proposal.entry - proposal.stop) * proposal.side.sign > 0
    return Factor(
        name="stop_side", score=1.0 if protects else 0.0, weight=0.0, value=None, limit=None, veto=not protects,
        reason=f"The stop {proposal.stop} {'protects' if protects else 'does not protect'} "
        f"a {proposal.side} at {proposal.entry}.",
    )  # fmt: skip


def _verdict(
    ruling: Ruling, confidence: float, size_factor: float, factors: tuple[Factor, ...], reason: str
) -> Verdict:
    return Verdict(
        ruling=ruling, confidence=confidence, size_factor=size_factor, factors=factors, by="rules", reason=reason
    )
