"""Sources that fail are passed over, left alone and tried again; nothing is made up in their place."""

from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from numpy.random import default_rng

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered, Unreadable, Why
from evil2root.domain.market.sources import Fetched, Heard
from evil2root.engine.asking import LEFT_ALONE_MOST, Budget, Manners
from evil2root.engine.fail_over import FailOver, Plan
from tests.fakes.sources import MONDAY, FakeSource, SteppedClock

AWAY = BarsUnavailable("the line is dead")


def over(
    *sources: FakeSource,
    clock: SteppedClock | None = None,
    manners: Manners | None = None,
    voices: int = 1,
    order: dict[str, tuple[str, ...]] | None = None,
) -> FailOver:
    clock = clock or SteppedClock()
    plan = Plan(order=order or {}, manners={s.name: manners or Manners() for s in sources}, voices=voices)
    return FailOver(sources, clock=clock, plan=plan, sleep=clock.sleep, jitter=default_rng(1))


async def hear(made: FailOver, symbol: str = "SPY") -> Heard:
    return await made.heard(symbol, Interval.D1, start=MONDAY, end=MONDAY + timedelta(days=5))


def silent(heard: Heard) -> list[tuple[str, str]]:
    return [(one.source, one.says) for one in heard.silent]


class TestOrder:
    async def test_the_first_that_answers_is_believed(self) -> None:
        first, second = FakeSource("first"), FakeSource("second")

        heard = await hear(over(first, second))

        assert (heard.answer.source, second.asked, heard.silent) == ("first", [], ())

    async def test_the_next_answers_for_one_that_fails_which_is_named(self) -> None:
        first = FakeSource("first", problems=[AWAY, AWAY])

        heard = await hear(over(first, FakeSource("second")))

        assert (heard.answer.source, silent(heard)) == ("second", [("first", "the line is dead")])

    async def test_a_symbol_may_have_an_order_of_its_own(self) -> None:
        made = over(FakeSource("first"), FakeSource("second"), order={"BTC/USD": ("second",)})

        assert (await hear(made, "BTC/USD")).answer.source == "second"
        assert (await hear(made)).answer.source == "first"

    async def test_no_answer_at_all_is_told_with_every_reason_and_no_price(self) -> None:
        made = over(FakeSource("first", problems=[AWAY] * 2), FakeSource("second", problems=[NotCovered("no SPY")]))

        with pytest.raises(BarsUnavailable, match=r"SPY 1d: first: the line is dead; second: no SPY"):
            await hear(made)

    def test_an_order_that_names_a_source_nobody_has_is_refused(self) -> None:
        with pytest.raises(ValueError, match="third"):
            over(FakeSource("first"), order={"SPY": ("third",)})

    async def test_an_answer_to_another_question_is_no_answer(self) -> None:
        heard = await hear(over(FakeSource("liar", tells_of="QQQ"), FakeSource("second")))

        assert heard.answer.source == "second"
        assert (heard.silent[0].why, heard.silent[0].says[:13]) == (Why.UNREADABLE, "asked for SPY")


class TestLeavingAlone:
    async def test_a_failure_is_tried_again_after_a_random_part_of_the_pause(self) -> None:
        clock, first = SteppedClock(), FakeSource("first", problems=[AWAY])

        heard = await hear(over(first, clock=clock))

        assert (heard.answer.source, len(first.asked)) == ("first", 2)
        assert len(clock.slept_s) == 1
        assert 0 < clock.slept_s[0] < 0.5

    async def test_failures_in_a_row_open_the_breaker_and_one_trial_closes_it(self) -> None:
        clock = SteppedClock()
        first = FakeSource("first", problems=[AWAY] * 3)
        made = over(first, FakeSource("second"), clock=clock)
        for _ in range(5):
            assert (await hear(made)).answer.source == "second"
        assert len(first.asked) == 3

        clock.pass_by(31)

        assert (await hear(made)).answer.source == "first"

    async def test_a_trial_that_fails_leaves_it_alone_for_longer(self) -> None:
        clock = SteppedClock()
        first = FakeSource("first", problems=[AWAY] * 4)
        made = over(first, FakeSource("second"), clock=clock, manners=Manners(tries=1))
        for _ in range(3):
            await hear(made)
        clock.pass_by(31)
        await hear(made)

        clock.pass_by(31)

        assert (await hear(made)).answer.source == "second"
        clock.pass_by(30)
        assert (await hear(made)).answer.source == "first"

    @pytest.mark.parametrize(("asks_for_s", "waits_s"), [(90.0, 90.0), (1e300, LEFT_ALONE_MOST.total_seconds())])
    async def test_it_is_left_alone_for_as_long_as_it_asks_within_reason(
        self, asks_for_s: float, waits_s: float
    ) -> None:
        clock = SteppedClock()
        first = FakeSource("first", problems=[AskedTooOften("status 429", retry_after_s=asks_for_s)])
        made = over(first, FakeSource("second"), clock=clock)
        await hear(made)

        clock.pass_by(waits_s - 1)

        assert (await hear(made)).answer.source == "second"
        assert len(first.asked) == 1
        clock.pass_by(1)
        assert (await hear(made)).answer.source == "first"

    async def test_a_source_that_lacks_symbols_is_not_broken(self) -> None:
        first = FakeSource("first", problems=[NotCovered("no such symbol")] * 10)
        made = over(first, FakeSource("second"))

        for _ in range(10):
            await hear(made)

        assert (await hear(made)).answer.source == "first"

    async def test_a_source_that_hangs_is_given_up(self) -> None:
        brisk = Manners(tries=1, timeout=timedelta(milliseconds=10))

        heard = await hear(over(FakeSource("first", hangs=True), FakeSource("second"), manners=brisk))

        assert silent(heard) == [("first", "no answer within 0.01 s")]


class TestBudget:
    async def test_spent_requests_send_the_question_to_the_next(self) -> None:
        clock, first = SteppedClock(), FakeSource("first")
        made = over(first, FakeSource("second"), clock=clock, manners=Manners(requests_a_minute=2))

        told = [(await hear(made)).answer.source for _ in range(3)]

        assert told == ["first", "first", "second"]
        clock.pass_by(30)
        assert (await hear(made)).answer.source == "first"

    def test_a_clock_that_steps_back_gives_no_requests(self) -> None:
        budget = Budget(1)
        budget.spend(MONDAY)

        assert budget.spend(MONDAY - timedelta(hours=1)) > 0
        assert budget.spend(MONDAY + timedelta(seconds=30)) == pytest.approx(30)


class TestConfirming:
    async def test_a_second_voice_is_given_beside_the_answer(self) -> None:
        heard = await hear(over(FakeSource("first"), FakeSource("second", closes=(11.0,)), voices=2))

        assert [p.source for p in heard.peers] == ["second"]
        assert heard.peers[0].rows["close"].to_list() == [11.0]

    async def test_a_second_voice_that_fails_does_not_take_the_answer_away(self) -> None:
        heard = await hear(over(FakeSource("first"), FakeSource("second", problems=[AWAY] * 2), voices=2))

        assert (heard.answer.source, heard.peers) == ("first", ())
        assert silent(heard) == [("second", "the line is dead")]


class TestStanding:
    async def test_tells_of_each_source_whether_it_answers_and_what_is_left_of_its_budget(self) -> None:
        first, second = FakeSource("first", problems=[AWAY] * 2), FakeSource("second")
        made = over(first, second, FakeSource("third"))

        await hear(made)

        one, two, three = made.standing
        assert (one.says, one.answered_at, one.requests_left) == ("the line is dead", None, 58)
        assert (two.says, two.answered_at is not None, two.requests_left) == ("", True, 59)
        assert (three.says, three.answered_at, three.requests_left) == ("", None, 60)

    async def test_tells_until_when_a_source_is_left_alone_and_why(self) -> None:
        clock = SteppedClock()
        made = over(FakeSource("first", problems=[AWAY] * 9), clock=clock, manners=Manners(failures_max=2))

        with pytest.raises(BarsUnavailable):
            await hear(made)

        (one,) = made.standing
        assert one.left_alone_until is not None
        assert one.left_alone_until > clock.now()
        assert one.says == "the line is dead"

    async def test_asked_too_often_is_told_apart_with_the_shortest_wait(self) -> None:
        made = over(
            FakeSource("first", problems=[AskedTooOften("slowly", retry_after_s=90.0)]),
            FakeSource("second", problems=[AskedTooOften("slowly", retry_after_s=40.0)]),
            FakeSource("third", problems=[NotCovered("no SPY")]),
        )

        with pytest.raises(AskedTooOften) as caught:
            await hear(made)
        assert caught.value.retry_after_s == 40.0

    async def test_a_spent_budget_says_when_the_next_question_may_come(self) -> None:
        made = over(FakeSource("only"), manners=Manners(requests_a_minute=1))
        await hear(made)

        with pytest.raises(AskedTooOften, match="requests a minute are spent") as caught:
            await hear(made)
        assert caught.value.retry_after_s == 60.0


class TestTroubles:
    """Three symbols that are never answered, and one that always is."""

    BAD = ("AAA", "BBB", "CCC")

    def source(self, problem: BarsUnavailable) -> FakeSource:
        bad = self.BAD

        class Choosy(FakeSource):
            async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
                self.problems = [problem] if symbol in bad else []
                return await super().bars(symbol, interval, start=start, end=end)

        return Choosy("first")

    async def rounds(self, made: FailOver, clock: SteppedClock, count: int) -> list[bool]:
        """Ask for all, the bad ones first, every ten seconds; return whether the good one was answered."""
        answered = []
        for _ in range(count):
            for symbol in (*self.BAD, "SPY"):
                with suppress(BarsUnavailable):
                    await hear(made, symbol)
                    answered.append(clock.now())
            clock.pass_by(10)
        return [at in answered for at in (MONDAY + timedelta(seconds=10) * n for n in range(count))]

    async def test_an_answer_that_cannot_be_read_is_the_symbol_s_own_trouble(self) -> None:
        clock, first = SteppedClock(), self.source(Unreadable("no JSON"))

        answered = await self.rounds(over(first, clock=clock, manners=Manners(pause=timedelta(0))), clock, 60)

        assert all(answered)
        assert len(first.asked) < 60 + 3 * 12, "and they are left alone"

    async def test_errors_for_the_same_symbols_leave_the_source_to_the_others_after_one_trial(self) -> None:
        clock, first = SteppedClock(), self.source(AWAY)
        made = over(first, clock=clock, manners=Manners(pause=timedelta(0)))
        await hear(made)

        answered = await self.rounds(made, clock, 60)

        assert answered.index(True) <= 3, "the trial goes to who was answered last, though asked for last"
        assert all(answered[3:])

    async def test_symbols_that_all_failed_are_tried_in_turns(self) -> None:
        clock, first = SteppedClock(), FakeSource("first", problems=[AWAY] * 100)
        made = over(first, clock=clock, manners=Manners(tries=1, left_alone=timedelta(seconds=10)))

        await self.rounds(made, clock, 200)

        trials = first.asked[3:]
        assert all(trials.count(symbol) >= 1 for symbol in (*self.BAD, "SPY"))
        assert max(map(trials.count, trials)) - min(map(trials.count, trials)) <= 1

    async def test_who_waits_and_does_not_come_again_is_not_waited_for(self) -> None:
        clock, first = SteppedClock(), FakeSource("first", problems=[AWAY] * 3)
        made = over(first, clock=clock, manners=Manners(tries=1))
        for symbol in (*self.BAD, "SPY"):
            with suppress(BarsUnavailable):
                await hear(made, symbol)

        clock.pass_by(31)
        with pytest.raises(AskedTooOften, match="another symbol first"):
            await hear(made, "AAA")
        clock.pass_by(30)

        assert (await hear(made, "AAA")).answer.source == "first"
