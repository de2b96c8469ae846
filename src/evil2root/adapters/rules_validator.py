"""Validation by factors alone: what every proposal passes, with or without a model to ask."""

from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.factors import Challenge, challenge
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.decision.verdict import Ruling, Verdict


class RulesValidator:
    """Judges by the factors of a policy's challenge."""

    def __init__(self, rules: Challenge | None) -> None:
        self._rules = rules

    async def challenge(self, proposal: Proposal, evidence: Evidence) -> Verdict:
        """Judge a proposal; without rules nothing can be accepted."""
        if self._rules is None:
            reason = "This policy validates nothing, so nothing can be accepted."
            return Verdict(ruling=Ruling.REJECT, confidence=0.0, size_factor=0.0, factors=(), by="rules", reason=reason)
        return challenge(proposal, evidence, self._rules)
