"""What every source of bars must hold to: the port's docstring as tests.

A class that inherits `BarSourceContract` gives the fixture `rig`: a source, and what it is known to have. One that
inherits `RemoteSourceContract` has a hand on the service behind it, too. Answers are looked at as the bot looks at them:
through cleaning, by the market's calendar.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered, Unreadable
from evil2root.domain.market.cleaning import Cleaned, clean
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

CALENDARS = ExchangeCalendars()
SLACK = timedelta(days=1)
"""How far rows may lie outside of what was asked."""


class TickingClock:
    """A second later each time somebody looks."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


class Source(Protocol):
    """A source as `main` holds it."""

    @property
    def name(self) -> str: ...
    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched: ...
    async def close(self) -> None: ...


class Rig(Protocol):
    """A source that has bars. Plain attributes will do."""

    @property
    def source(self) -> Source: ...
    @property
    def clock(self) -> TickingClock:
        """Given to the source; stands inside the last bar, which is not over."""
        ...

    @property
    def symbol(self) -> str: ...
    @property
    def interval(self) -> Interval: ...
    @property
    def opened(self) -> Sequence[datetime]:
        """At least six bars in a row, oldest first, by the openings of the market's calendar; the last is not over."""
        ...

    @property
    def unknown(self) -> str:
        """A symbol the source has not."""
        ...


class RemoteRig(Rig, Protocol):
    """A hand on the service. Each plan holds for the next question, until `well`."""

    def away(self) -> None:
        """Answer with an error of the server's (500), or cut the line."""

    def refuse(self, retry_after_s: int) -> None:
        """Answer that it was asked too often (429 with Retry-After)."""

    def garble(self) -> None:
        """Answer with what is no answer: HTML, half a JSON."""

    def hang(self) -> None:
        """Take the question, and never answer."""

    def well(self) -> None:
        """Answer as it should."""


async def ask(rig: Rig, start: datetime, end: datetime) -> Fetched:
    return await rig.source.bars(rig.symbol, rig.interval, start=start, end=end)


def cleaned(fetched: Fetched) -> Cleaned:
    return clean(fetched, CALENDARS.sessions(instrument_for(fetched.symbol)))


def believed(fetched: Fetched, start: datetime, end: datetime) -> list[datetime]:
    """Openings of bars that are over and believed, of those that were asked for."""
    told: list[datetime] = cleaned(fetched).good["opened_at"].to_list()
    return [at for at in told if start <= at < end]


class BarSourceContract:
    async def test_tells_what_was_asked_and_who_tells_it(self, rig: Rig) -> None:
        fetched = await ask(rig, rig.opened[0], rig.opened[-1])

        assert (fetched.symbol, fetched.interval, fetched.source) == (rig.symbol, rig.interval, rig.source.name)
        assert fetched.rows.schema == RAW_SCHEMA

    async def test_tells_the_first_moment_of_a_period_and_not_its_end(self, rig: Rig) -> None:
        start, end = rig.opened[1], rig.opened[3]

        fetched = await ask(rig, start, end)

        assert believed(fetched, start, end) == list(rig.opened[1:3])
        assert fetched.rows.filter(
            (fetched.rows["opened_at"] < start - SLACK) | (fetched.rows["opened_at"] > end)
        ).is_empty()

    async def test_tells_every_bar_of_a_period(self, rig: Rig) -> None:
        fetched = await ask(rig, rig.opened[0], rig.opened[-1])

        assert believed(fetched, rig.opened[0], rig.opened[-1]) == list(rig.opened[:-1])

    async def test_a_bar_that_is_not_over_is_never_believed(self, rig: Rig) -> None:
        end = rig.opened[-1] + SLACK

        fetched = await ask(rig, rig.opened[-3], end)

        assert believed(fetched, rig.opened[-3], end) == list(rig.opened[-3:-1])
        assert cleaned(fetched).incomplete["opened_at"].to_list() in ([], [rig.opened[-1]])

    async def test_says_when_the_question_left_and_not_when_the_answer_came(self, rig: Rig) -> None:
        first_look = rig.clock.at + timedelta(seconds=1)

        fetched = await ask(rig, rig.opened[0], rig.opened[-1])

        assert fetched.fetched_at == first_look

    async def test_tells_the_same_when_it_is_asked_again(self, rig: Rig) -> None:
        first = await ask(rig, rig.opened[0], rig.opened[-1])
        second = await ask(rig, rig.opened[0], rig.opened[-1])

        assert first.rows.equals(second.rows)

    async def test_tells_in_two_periods_what_it_tells_in_one(self, rig: Rig) -> None:
        start, middle, end = rig.opened[0], rig.opened[3], rig.opened[5]

        whole = cleaned(await ask(rig, start, end)).good
        parts = [cleaned(await ask(rig, *part)).good for part in ((start, middle), (middle, end))]

        first = parts[0].filter(parts[0]["opened_at"] < middle)
        assert first.vstack(parts[1].filter(parts[1]["opened_at"] >= middle)).equals(whole)

    async def test_answers_several_questions_at_once(self, rig: Rig) -> None:
        alone = await ask(rig, rig.opened[0], rig.opened[-1])

        together = await asyncio.gather(*(ask(rig, rig.opened[0], rig.opened[-1]) for _ in range(3)))

        assert all(one.rows.equals(alone.rows) for one in together)

    async def test_a_period_without_bars_is_an_empty_answer_and_no_error(self, rig: Rig) -> None:
        moment = timedelta(microseconds=1)
        ahead = rig.clock.at + timedelta(days=300)

        between = await ask(rig, rig.opened[1] + moment, rig.opened[2])
        future = await ask(rig, ahead, ahead + SLACK)

        assert believed(between, rig.opened[1] + moment, rig.opened[2]) == []
        assert future.rows.is_empty()
        assert future.rows.schema == RAW_SCHEMA

    async def test_says_of_a_symbol_it_has_not_that_it_is_not_covered(self, rig: Rig) -> None:
        with pytest.raises(NotCovered):
            await rig.source.bars(rig.unknown, rig.interval, start=rig.opened[0], end=rig.opened[-1])

    async def test_may_be_closed_twice(self, rig: Rig) -> None:
        await ask(rig, rig.opened[0], rig.opened[-1])

        await rig.source.close()
        await rig.source.close()


class RemoteSourceContract(BarSourceContract):
    async def test_a_service_that_is_away_is_unavailable_and_covers_the_symbol_all_the_same(
        self, rig: RemoteRig
    ) -> None:
        rig.away()

        with pytest.raises(BarsUnavailable) as caught:
            await ask(rig, rig.opened[0], rig.opened[-1])
        assert type(caught.value) is BarsUnavailable

    async def test_one_that_was_asked_too_often_says_for_how_long_to_leave_it_alone(self, rig: RemoteRig) -> None:
        rig.refuse(17)

        with pytest.raises(AskedTooOften) as caught:
            await ask(rig, rig.opened[0], rig.opened[-1])
        assert caught.value.retry_after_s == 17

    async def test_an_answer_that_is_none_can_not_be_read_and_is_no_sign_of_an_outage(self, rig: RemoteRig) -> None:
        rig.garble()

        with pytest.raises(Unreadable):
            await ask(rig, rig.opened[0], rig.opened[-1])

    async def test_a_question_may_be_given_up_and_the_next_is_answered(self, rig: RemoteRig) -> None:
        rig.hang()
        asking = asyncio.create_task(ask(rig, rig.opened[0], rig.opened[-1]))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        rig.well()

        assert (await ask(rig, rig.opened[0], rig.opened[-1])).rows.height

    async def test_is_well_again_after_an_outage(self, rig: RemoteRig) -> None:
        rig.away()
        with pytest.raises(BarsUnavailable):
            await ask(rig, rig.opened[0], rig.opened[-1])

        rig.well()

        assert believed(await ask(rig, rig.opened[0], rig.opened[-1]), rig.opened[0], rig.opened[-1])
