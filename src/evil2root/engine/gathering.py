"""From a question to stored bars: ask, clean, keep. The same for the live feed and for a fetch by hand."""

from collections import deque
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl
import structlog

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, Silence
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.cleaning import Cleaned, Known, clean
from evil2root.domain.market.cleaning.values import CONTEXT_BARS
from evil2root.domain.market.sessions import EPOCH, MICROSECOND, Sessions, moment
from evil2root.domain.market.sources import Fetched, Heard
from evil2root.engine.filling import Found, filling
from evil2root.engine.noting import Keeper, Notes

log = structlog.get_logger()

SETTLES = timedelta(seconds=15)
"""A bar that closed just now (or a twelfth of its length ago) is not lacking yet: the first source may need a moment, and
the bar would change again once it tells it."""

SLACK = timedelta(days=2)
"""How far behind the end of a question an answer may still overlap stored bars, by their closes."""


OVERLAP_BARS, OVERLAP_MOST = 8, timedelta(days=7)
"""Stored bars before a question that are asked for again, if they are not older: an answer that joins what is stored is
known to be the same series, and a jump that was set aside is believed once the bars after it stay there. Where they are
older, the newest of them are asked for by a question of their own: a split since then changed their factors."""
JOINED_MIN = 2
"""Stored bars told again that it takes to see that their factors are others now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What keeping an answer did to the stored series."""

    new: int
    changed: int
    """Bars that said something else before, those among them whose factor alone is another one now."""


class Teller(Protocol):
    """Asks sources; `FailOver` does. Raises `BarsUnavailable` when none has the symbol."""

    async def heard(
        self, symbol: str, interval: Interval, *, start: datetime, end: datetime, without: Collection[str] = ()
    ) -> Heard:
        """Ask all but those `without`, of which only `Heard.left` are worth asking."""
        ...


class Shelf(Keeper, Protocol):
    """Where cleaned answers are kept. Raises `BarsUnavailable` while it is away."""

    async def stored(
        self, symbol: str, interval: Interval, *, start: datetime | None = None, until: datetime | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """Return raw bars with their factors, `STORED_SCHEMA`, oldest first; with a `limit` the newest of them."""
        ...

    async def take(self, cleaned: Cleaned) -> Taken:
        """Keep believed bars, rows set aside and oddities of one answer, all or nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one question brought."""

    new: int
    """Bars that were not stored before."""
    changed: int
    """Bars that were stored with other values."""
    told: int
    """Bars that were believed, those among them that were asked for again."""
    set_aside: int
    silent: tuple[Silence, ...]
    """Sources that were asked and gave no answer."""
    lacking: int = 0
    """Bars the calendar has and nobody told, now or before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is asked for, and what is known around it."""

    instrument: Instrument
    interval: Interval
    start: datetime
    end: datetime
    sessions: Sessions
    before: pl.DataFrame
    """Stored bars before it, oldest first."""

    @property
    def joins(self) -> pl.DataFrame:
        """Those that are asked for again."""
        return self.before.filter(pl.col("opened_at") >= self.start - OVERLAP_MOST).tail(OVERLAP_BARS)

    @property
    def asked_from(self) -> datetime:
        """Where the question begins."""
        joins = self.joins["opened_at"]
        return joins[0] if len(joins) else self.start

    def expected(self, present: datetime) -> list[datetime]:
        """Return the openings of bars the calendar has of it and that should be told by now, oldest first."""
        settled = present - min(SETTLES, self.interval.length / 12)
        first, last, latest = ((at - EPOCH) // MICROSECOND for at in (self.start, self.end, settled))
        opened, closed = self.sessions.grid(self.interval, start=first, end=max(first, last))
        return [moment(int(at)) for at in opened[closed <= min(last, latest)]]

    def known(self, stored: pl.DataFrame, peers: tuple[Fetched, ...]) -> Known:
        """Return what an answer is held against."""
        told_in, has_volume = self.instrument.told_in, self.instrument.has_volume
        return Known(stored=stored, peers=peers, has_volume=has_volume, currency=told_in)


class Gatherer:
    """Asks for bars, cleans what is told beside what is stored, keeps it.

    What the first answer leaves out of the bars the calendar has is taken from the answers of those who were asked to
    confirm it, and then asked of the sources that come next, each once. A bar's source is whoever told it.
    """

    def __init__(self, *, teller: Teller, calendars: Calendars, shelf: Shelf) -> None:
        self._teller, self._calendars, self.shelf = teller, calendars, shelf
        self._notes = Notes(shelf)

    async def gather(self, instrument: Instrument, interval: Interval, *, start: datetime, end: datetime) -> Gathered:
        """Bring the bars that open in `[start, end)`. Doing it again adds nothing.

        Raises `BarsUnavailable` when no source answers or the store is away: nothing is kept then.
        """
        before = await self.shelf.stored(instrument.symbol, interval, until=start, limit=CONTEXT_BARS)
        question = _Question(
            instrument=instrument, interval=interval, start=start, end=end, before=before,
            sessions=self._calendars.sessions(instrument),
        )  # fmt: skip
        heard = await self._heard(question)
        found = Found.of(heard)
        await self._take(question, heard.answer, heard.peers, found)
        others, left = deque(heard.peers), bool(heard.left)
        while (lacking := await self._lacking(question, found)) and (others or left):
            if not others:
                more = await self._more(question, found)
                if more is None:
                    break
                others.append(more.answer)
                left = bool(more.left)
            await self._fill(question, others.popleft(), tuple(others), found, lacking)
        return Gathered(
            new=found.new,
            changed=found.changed,
            told=len(found.believed),
            set_aside=found.set_aside,
            silent=found.silent,
            lacking=len(lacking),
        )

    async def _heard(self, question: _Question, *, without: frozenset[str] = frozenset()) -> Heard:
        """Ask, and note who told nothing. Raises `BarsUnavailable` when nobody told anything."""
        symbol, interval, end = question.instrument.symbol, question.interval, question.end
        expected = question.expected(end)
        try:
            heard = await self._teller.heard(symbol, interval, start=question.asked_from, end=end, without=without)
        except BarsUnavailable as problem:
            with suppress(BarsUnavailable):  # a store that is away is no reason to tell another one
                await self._notes.silent(problem.silent, symbol, interval, expected)
            raise
        await self._notes.silent(heard.silent, symbol, interval, expected)
        for told in (heard.answer, *heard.peers):
            if told.rows.is_empty():
                await self._notes.empty(told, question.expected(max(told.fetched_at, end)))
        return heard

    async def _more(self, question: _Question, found: Found) -> Heard | None:
        """Ask the sources that come next; none when none of them tells anything."""
        try:
            heard = await self._heard(question, without=found.asked)
        except BarsUnavailable as nobody:
            found.silent += nobody.silent
            return None
        found.hear(heard)
        return heard

    async def _take(self, question: _Question, answer: Fetched, peers: tuple[Fetched, ...], found: Found) -> None:
        """Keep what is believed of an answer, nothing being believed yet of any other."""
        symbol, interval, before = question.instrument.symbol, question.interval, question.before
        if question.joins.height < JOINED_MIN <= before.height and answer.rows.height:
            others = found.asked - {answer.source}
            answer = await self._joined(answer, before.tail(OVERLAP_BARS), until=question.asked_from, without=others)
        overlapped = await self.shelf.stored(symbol, interval, start=question.start, until=question.end + SLACK)
        stored = pl.concat([before, overlapped]).unique("opened_at").sort("opened_at")
        cleaned = clean(answer, question.sessions, question.known(stored, peers))
        taken = await self.shelf.take(cleaned)
        found.add(answer, cleaned, new=taken.new, changed=taken.changed)

    async def _fill(
        self, question: _Question, answer: Fetched, others: tuple[Fetched, ...], found: Found,
        lacking: frozenset[datetime],
    ) -> None:  # fmt: skip
        """Keep what is believed of a further answer: all of it where nothing was before, else what is lacking."""
        voices = (*others, *found.voices(answer, question.sessions))
        if not found.believed:
            with suppress(AskedTooOften):  # then it can't be joined to what is stored, and is asked for again
                await self._take(question, answer, voices, found)
            return
        before, symbol, interval = question.before, question.instrument.symbol, question.interval
        since = before["opened_at"][0] if before.height else question.start
        stored = await self.shelf.stored(symbol, interval, start=since, until=question.end + SLACK)
        cleaned = filling(clean(answer, question.sessions, question.known(stored, voices)), stored, lacking)
        if cleaned.good.height or cleaned.quarantined.height or cleaned.issues:
            taken = await self.shelf.take(cleaned)
            found.add(answer, cleaned, new=taken.new, changed=taken.changed)

    async def _lacking(self, question: _Question, found: Found) -> frozenset[datetime]:
        """Return the openings of bars that the calendar has and nobody told, now or before."""
        expected = set(question.expected(max(found.fetched_at, question.end))) - set(found.believed)
        if not expected:
            return frozenset()
        symbol, interval = question.instrument.symbol, question.interval
        stored = await self.shelf.stored(symbol, interval, start=min(expected), until=question.end)
        return frozenset(expected - set(stored["opened_at"].to_list()))

    async def _joined(
        self, answer: Fetched, older: pl.DataFrame, *, until: datetime, without: frozenset[str]
    ) -> Fetched:
        """Return the answer with what its source tells today of stored bars long before it; as it is without that."""
        symbol, interval, start, end = answer.symbol, answer.interval, older["opened_at"][0], older["closed_at"][-1]
        try:
            again = (await self._teller.heard(symbol, interval, start=start, end=end, without=without)).answer
        except AskedTooOften:
            raise
        except BarsUnavailable as problem:
            log.warning(
                "bars.unjoined", symbol=answer.symbol, interval=answer.interval, start=start, problem=str(problem)
            )
            return answer
        if again.source != answer.source:
            mixed = f"{again.source} told them, and {answer.source} what comes after"
            log.warning("bars.unjoined", symbol=answer.symbol, interval=answer.interval, start=start, problem=mixed)
            return answer
        rows = pl.concat([again.rows.filter(pl.col("opened_at") < until), answer.rows])
        return replace(answer, rows=rows, splits=tuple(sorted({*again.splits, *answer.splits})))
