"""Several sources behind one port: asked in order, left alone when they fail, held against each other."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from numpy.random import Generator, default_rng

from evil2root.domain.core.clock import Clock
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered, Silence, Unreadable, Why
from evil2root.domain.market.sources import RAW_SCHEMA, BarSource, Fetched, Heard
from evil2root.engine.asked import Asked
from evil2root.engine.asking import Manners, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a source is asked."""

    symbol: str
    interval: Interval
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who is asked for what, and how."""

    order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of sources by symbol, where it is another; sources it leaves out are not asked for that symbol."""
    manners: Mapping[str, Manners] = field(default_factory=dict)
    """By source; `Manners()` for those not named."""
    voices: int = 1
    """How many sources a question goes to if they can be had: 1 takes the first answer, 2 has it confirmed."""


class FailOver:
    """A `BarSource` made of others.

    Parameters
    ----------
    sources
        In the order they are asked.
    plan
        Other orders, and how each source is treated.
    jitter
        Spreads waits, so that programs that failed together do not come back together.

    Raises `ValueError` for a name that no source has, two sources of one name, or no source at all.
    """

    def __init__(
        self,
        sources: Sequence[BarSource],
        *,
        clock: Clock,
        plan: Plan | None = None,
        jitter: Generator | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        plan = plan or Plan()
        self._order, self._voices = dict(plan.order), plan.voices
        self._jitter = jitter or default_rng()
        self._asked = {s.name: Asked(s, plan.manners.get(s.name, Manners()), self._jitter) for s in sources}
        self._clock, self._sleep = clock, sleep
        unknown = {name for names in (*self._order.values(), plan.manners) for name in names} - set(self._asked)
        if not sources or len(self._asked) != len(sources) or unknown or plan.voices < 1:
            names = [s.name for s in sources]
            msg = f"Sources {names} need names of their own; unknown: {sorted(unknown)}; voices: {plan.voices}."
            raise ValueError(msg)

    @property
    def name(self) -> str:
        """Return the names of all sources, in order."""
        return "+".join(self._asked)

    @property
    def standing(self) -> tuple[Standing, ...]:
        """How each source is doing now, in order."""
        now = self._clock.now()
        return tuple(asked.standing(now) for asked in self._asked.values())

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        """Return the first answer. Raises `BarsUnavailable` with every source's reason when there is none.

        That is an `AskedTooOften` when waiting helps: with the time until the first of them may be asked again.
        """
        return (await self._hear(Question(symbol=symbol, interval=interval, start=start, end=end), voices=1)).answer

    async def heard(
        self, symbol: str, interval: Interval, *, start: datetime, end: datetime, without: Collection[str] = ()
    ) -> Heard:
        """Return the first answer, and those of others that confirm or contradict it. Raises as `bars` does.

        `without`: sources that are not asked. Beside others one answer is enough: they are held against it.
        """
        question = Question(symbol=symbol, interval=interval, start=start, end=end)
        return await self._hear(question, voices=1 if without else self._voices, without=without)

    async def _hear(self, question: Question, *, voices: int, without: Collection[str] = ()) -> Heard:
        told: list[Fetched] = []
        silent: list[Silence] = []
        waits: list[float] = []
        left = [asked for asked in self._in_order(question.symbol) if asked.source.name not in without]
        while left and len(told) < voices:
            asked = left.pop(0)
            try:
                told.append(await self._ask(asked, question))
            except BarsUnavailable as problem:
                silent.append(_silence(asked.source.name, problem, self._clock.now()))
                if isinstance(problem, AskedTooOften) and problem.retry_after_s is not None:
                    waits.append(problem.retry_after_s)
        if not told:
            reasons = "; ".join(f"{one.source}: {one.says}" for one in silent) or "no source is named for it"
            msg = f"No source has {question.symbol} {question.interval}: {reasons}"
            if waits:
                raise AskedTooOften(msg, retry_after_s=min(waits), silent=silent)
            raise BarsUnavailable(msg, silent=silent)
        return Heard(
            answer=told[0], peers=tuple(told[1:]), silent=tuple(silent), left=tuple(asked.source.name for asked in left)
        )

    def _in_order(self, symbol: str) -> Iterator[Asked]:
        return (self._asked[name] for name in self._order.get(symbol, tuple(self._asked)))

    async def _ask(self, asked: Asked, question: Question) -> Fetched:
        manners, symbol = asked.manners, question.symbol
        for attempt in range(1, manners.tries + 1):
            asked.admit(symbol, self._clock.now())
            try:
                async with asyncio.timeout(manners.timeout.total_seconds()):
                    fetched = _checked(await _put(asked.source, question), question)
            except NotCovered:
                asked.answered(symbol, self._clock.now())
                raise
            except AskedTooOften as problem:
                asked.failed(symbol, problem, str(problem), self._clock.now())
                raise
            except (BarsUnavailable, TimeoutError) as problem:
                why = str(problem) or f"no answer within {manners.timeout.total_seconds():g} s"
                asked.failed(symbol, problem, why, self._clock.now())
                if attempt == manners.tries or asked.is_left_alone(symbol, self._clock.now()):
                    raise (Unreadable if isinstance(problem, Unreadable) else BarsUnavailable)(why) from problem
            except BaseException:
                asked.given_up(symbol)
                raise
            else:
                asked.answered(symbol, self._clock.now())
                return fetched
            await self._sleep(self._jitter.uniform(0, manners.pause.total_seconds() * 2 ** (attempt - 1)))
        raise AssertionError


async def _put(source: BarSource, question: Question) -> Fetched:
    return await source.bars(question.symbol, question.interval, start=question.start, end=question.end)


def _silence(source: str, problem: BarsUnavailable, at: datetime) -> Silence:
    match problem:
        case AskedTooOften():
            why = Why.LEFT_ALONE
        case NotCovered():
            why = Why.NOT_COVERED
        case Unreadable():
            why = Why.UNREADABLE
        case _:
            why = Why.AWAY
    return Silence(source=source, why=why, says=str(problem), at=at)


def _checked(fetched: Fetched, question: Question) -> Fetched:
    """Refuse an answer to another question; what its rows say is for cleaning to judge."""
    if (fetched.symbol, fetched.interval) != (question.symbol, question.interval):
        msg = f"asked for {question.symbol} {question.interval}, told of {fetched.symbol[:30]!r} {fetched.interval}"
        raise Unreadable(msg)
    if fetched.rows.schema != RAW_SCHEMA:
        msg = f"told columns {dict(fetched.rows.schema)} that are not those of raw rows"
        raise Unreadable(msg[:300])
    return fetched
