"""Changes of weights, kept in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from evil2root.domain.kernel.actions import Reply
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS
from evil2root.engine.weights_kept import WeightChange

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class FakeWeighing:
    """Judges weights as the real one does, and remembers what was asked."""

    newest: WeightChange | None = None
    asked: list[tuple[Mapping[str, float] | None, str, str]] = field(default_factory=list)

    async def weigh(self, asked: Mapping[str, float] | None, *, by: str, origin: str, seen: int | None = None) -> Reply:
        weights = None if asked is None else dict(DEFAULT_WEIGHTS.but(asked).by_source)
        if self.newest is not None and seen not in {None, self.newest.number}:
            return Reply(done=False, says=f"Nothing was changed: {self.newest.actor} changed the weights.")
        self.asked.append((asked, by, origin))
        self.newest = WeightChange(number=len(self.asked), at=AT, actor=by, weights=weights)
        return Reply(done=True, says="From the next decision on.")


@dataclass(slots=True, kw_only=True)
class MemoryWeights:
    """What survives a restart: changes, policies and audit lines."""

    changes: list[WeightChange] = field(default_factory=list)
    policies: dict[str, Mapping[str, str]] = field(default_factory=dict)
    lines: list[tuple[str, str, str, str]] = field(default_factory=list)
    away: bool = False

    async def newest(self) -> WeightChange | None:
        return self.changes[-1] if self.changes else None

    async def keep_policy(self, policy: Policy, options: Mapping[str, str]) -> None:
        self.policies[policy.digest] = options

    async def keep(  # noqa: PLR0913 - the port's
        self, weights: Mapping[str, float] | None, *, at: datetime, actor: str, origin: str, before: str, after: str
    ) -> WeightChange:
        if self.away:
            msg = "The database is away."
            raise ConnectionError(msg)
        self.changes.append(WeightChange(number=len(self.changes) + 1, at=at, actor=actor, weights=weights))
        self.lines.append((actor, origin, before, after))
        return self.changes[-1]
