"""Fetch what a stored decision rests on, and recompute it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, Self

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.strategies.strategy import Sourced
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision
from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.standing import SYMBOLS_MIN, returns_by, with_standing
from evil2root.engine.desk import Recomputed
from evil2root.engine.replaying import recompute

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class WindowStore(Protocol):
    """Bars as a decision saw them."""

    async def window(self, symbol: str, interval: Interval, *, start: datetime, until: datetime) -> pl.DataFrame:
        """Return adjusted bars opened at or after `start` and closed at or before `until`, oldest first."""
        ...

    async def window_then(
        self, symbol: str, interval: Interval, *, start: datetime, until: datetime, of: tuple[str, datetime]
    ) -> pl.DataFrame:
        """Return the same as they were stored when the bar `of` a symbol and an opening was: nothing restated since."""
        ...


class PolicyBook(Protocol):
    """The policies decisions were made by, found again by their digest."""

    async def find(self, digest: str) -> Policy | None: ...


async def recomputed(stored: Decision, *, windows: WindowStore, policies: PolicyBook) -> Recomputed:
    """Fetch what a decision rests on and recompute it; raises `LookupError` when its policy was not kept."""
    policy = await policies.find(stored.policy_digest)
    if policy is None:
        msg = f"The policy {stored.policy_digest} that {stored.id} was made by is not in the database."
        raise LookupError(msg)
    now, then = windows.window, partial(windows.window_then, of=(stored.symbol, stored.bar.opened_at))
    others = await _Others.of(stored, policy, now)
    window = await others.window(now)
    found = await asyncio.to_thread(recompute, stored, window, policy)
    if found.identical:
        return found
    # A split, a dividend or a late bar since then changed what is stored: what was known then decides.
    known = await others.window(then)
    if not known.equals(window):
        found = await asyncio.to_thread(recompute, stored, known, policy)
    if found.identical or not others.names:
        return found
    # Of the others too, in the end: what they returned is seldom restated, and bars of theirs may be stored later.
    known = await (await _Others.of(stored, policy, then)).window(then)
    return await asyncio.to_thread(recompute, stored, known, policy)


Get = Callable[..., Awaitable[pl.DataFrame]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Others:
    """What the others of the watchlist had returned by the openings of a decision's window."""

    stored: Decision
    names: tuple[str, ...]
    """Empty where no standing among them is read."""
    returns: tuple[Floats, ...]

    @classmethod
    async def of(cls, stored: Decision, policy: Policy, get: Get) -> Self:
        """Look them up one by one: whole series are long, and their returns at those openings short."""
        names: tuple[str, ...] = ()
        if (
            stored.symbol in policy.traded
            and len(policy.traded) >= SYMBOLS_MIN
            and isinstance(policy.strategy, Sourced)
        ):
            names = tuple(symbol for symbol in policy.traded if symbol != stored.symbol)
        returns = []
        until = {"until": stored.bar.closed_at}
        if names:
            window = await get(stored.symbol, stored.interval, start=stored.window_from, **until)
            opened = window["opened_at"].to_physical().to_numpy()
            for name in names:
                frame = await get(name, stored.interval, start=_BEGINNING, **until)
                returns.append(await asyncio.to_thread(returns_by, opened, frame))
        return cls(stored=stored, names=names, returns=tuple(returns))

    async def window(self, get: Get) -> pl.DataFrame:
        """The window of the decision, with standings where there are others."""
        own = partial(get, self.stored.symbol, self.stored.interval, until=self.stored.bar.closed_at)
        if not self.names:
            return await own(start=self.stored.window_from)
        series = await own(start=_BEGINNING)
        window = series.filter(pl.col("opened_at") >= self.stored.window_from)
        return await asyncio.to_thread(with_standing, window, series, self.returns)
