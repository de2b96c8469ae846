"""Other default weights while trading: written down together with who asked, then the engine decides by them.

A decision keeps the digest of the policy it was made by, so those from before a change are recomputed with the weights
of then.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import structlog

from evil2root.domain.core.clock import Clock
from evil2root.domain.decision.strategies.strategy import Sourced
from evil2root.domain.kernel.actions import Reply
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.signals.fusion import Weights
from evil2root.engine.desk import Phase
from evil2root.engine.leading import Leader
from evil2root.engine.live import Engine
from evil2root.engine.weights_kept import WeightChange

log = structlog.get_logger()

TRADES = (Phase.READY, Phase.DIVERGED)
"""When the books are recovered, so that what is written now is what the engine goes on with."""


class WeightStore(Protocol):
    """Keeps every change. Raises `ConnectionError` when it can't be reached."""

    async def newest(self) -> WeightChange | None:
        """Return the change in force."""
        ...

    async def keep_policy(self, policy: Policy, options: Mapping[str, str]) -> None:
        """Remember how a policy is put together, `options` on top of the settings, so that decisions can name it."""
        ...

    async def keep(  # noqa: PLR0913 - a change and its line in the audit log
        self, weights: Mapping[str, float] | None, *, at: datetime, actor: str, origin: str, before: str, after: str
    ) -> WeightChange:
        """Append a change and its audit line, both or neither; durable when it returns."""
        ...


class EngineWeighing:
    """Over a running engine."""

    def __init__(
        self, *, engine: Engine, store: WeightStore, made: Callable[[Mapping[str, str]], Policy], clock: Clock,
        leader: Leader,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._store = store
        self._made = made
        self._clock = clock
        self._leader = leader
        self._newest: WeightChange | None = None
        self._is_unclear = False
        """Was the end of a change never heard? Then what is stored is asked for before anything else."""
        self._one = asyncio.Lock()

    @property
    def newest(self) -> WeightChange | None:
        """The change in force."""
        return self._newest

    async def load(self) -> None:
        """Take up the change that was in force, before the engine runs. Weights that no longer fit are left out."""
        async with self._one:
            await self._take_up(await self._store.newest())

    async def look(self) -> None:
        """Show what the leader decides by. Nothing is written."""
        async with self._one:
            await self._take_up(await self._store.newest(), writes=False)

    async def _take_up(self, change: WeightChange | None, *, writes: bool = True) -> None:
        default = _weights(self._made({}))
        options: dict[str, str] = {}
        try:
            if default is not None and change is not None and change.weights is not None:
                options = _options(default.but(change.weights))
        except ValueError as problem:
            if change is not None:
                log.warning("weights.unfit", number=change.number, problem=str(problem))
            change = None
        policy = self._made(options)
        if policy.digest != self._engine.policy.digest:
            if writes:
                await self._store.keep_policy(policy, options)
            await self._engine.adopt(lambda: _given(policy))
        self._newest, self._is_unclear = change, False

    async def weigh(self, asked: Mapping[str, float] | None, *, by: str, origin: str, seen: int | None = None) -> Reply:
        """Give sources other weights; see `Weighing.weigh`. Whoever gives up waiting does not stop what has begun."""
        return await asyncio.shield(asyncio.ensure_future(self._weigh(asked, by=by, origin=origin, seen=seen)))

    async def _weigh(self, asked: Mapping[str, float] | None, *, by: str, origin: str, seen: int | None) -> Reply:
        async with self._one:
            if self._is_unclear:
                try:
                    await self._take_up(await self._store.newest())
                except ConnectionError as problem:
                    return Reply(done=False, says=f"{_UNCLEAR} {problem}")
            now, default = _weights(self._engine.policy), _weights(self._made({}))
            if now is None or default is None:
                name = self._engine.policy.strategy.name
                return Reply(done=False, says=f"{name} decides by its rule alone: there are no sources to weigh.")
            wanted = default if asked is None else now.but(asked)
            if self._engine.phase not in TRADES or not self._leader.leads:
                says = f"Nothing was changed while the engine is {self._engine.phase.value}. {self._engine.says}"
                return Reply(done=False, says=says.strip())
            changed = self._newest is not None and self._newest.weights is not None
            if wanted == now and (asked is not None or not changed):
                return Reply(done=True, says=f"Nothing to change: {_said(now)}.")
            if seen is not None and seen != (0 if self._newest is None else self._newest.number):
                return Reply(done=False, says=f"Nothing was changed: {_since(self._newest)} In force: {_said(now)}.")
            options = {} if asked is None else _options(wanted)
            policy = self._made(options)
            try:
                await self._store.keep_policy(policy, options)
                await self._engine.adopt(lambda: self._kept(policy, asked, now, wanted, by, origin))
            except ConnectionError as problem:
                return await self._after(problem)
        return Reply(done=True, says=f"From the next decision on: {_said(wanted)}.")

    async def _after(self, problem: ConnectionError) -> Reply:
        """Find out what a change came to whose end was not heard."""
        before = self._newest
        try:
            await self._take_up(await self._store.newest())
        except ConnectionError:
            self._is_unclear = True
            return Reply(done=False, says=f"{_UNCLEAR} {problem}")
        if self._newest == before:
            return Reply(done=False, says=f"The weights are as before. {problem}")
        now = _weights(self._engine.policy)
        return Reply(done=True, says=f"From the next decision on: {'' if now is None else _said(now)}.")

    async def _kept(  # noqa: PLR0913 - a change and who made it
        self, policy: Policy, asked: Mapping[str, float] | None, before: Weights, after: Weights, by: str, origin: str
    ) -> Policy:
        self._newest = await self._store.keep(
            None if asked is None else dict(after.by_source), at=self._clock.now(), actor=by, origin=origin,
            before=_said(before), after=_said(after) + " (the settings')" * (asked is None),
        )  # fmt: skip
        return policy


_UNCLEAR = "Whether the change is written down is not known: it decides nothing until you ask again or start anew."


def _since(newest: WeightChange | None) -> str:
    if newest is None:
        return "the weights you looked at are in force no more."
    return f"{newest.actor} changed the weights after you looked, {newest.at:%d %b %Y %H:%M} UTC."


async def _given(policy: Policy) -> Policy:
    return policy


def _weights(policy: Policy) -> Weights | None:
    return policy.strategy.weights if isinstance(policy.strategy, Sourced) else None


def _options(weights: Weights) -> dict[str, str]:
    return {f"{source}_weight": repr(weight) for source, weight in weights.by_source}


def _said(weights: Weights) -> str:
    return ", ".join(f"{source} {weight:g}" for source, weight in weights.by_source)
