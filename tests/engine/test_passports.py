"""Data passports: the same live and in a backtest, stored with the decision, and held against by the gate."""

from dataclasses import replace

import pytest

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.observe import Background
from evil2root.engine.replay import backtest
from tests.engine.test_live_engine import CASH_IN, assert_same, frames, policy, start_of, until_told_all
from tests.fakes.trading import Books, an_engine

CALENDARS = ExchangeCalendars()


@pytest.mark.parametrize("missing_max", [pytest.param(2, marks=pytest.mark.long), 4])
async def test_live_and_backtest_store_the_same_passports_and_refuse_the_same_entries(missing_max: int) -> None:
    told = frames(320)  # one symbol lacks a day in seven; the made-up days know no holidays
    rules = policy("fusion", list(told))
    rules = replace(rules, limits=replace(rules.limits, missing_bars_max=missing_max))
    start, books = start_of(told), Books()
    grounds = {symbol: Background(sessions=CALENDARS.sessions(instrument_for(symbol))) for symbol in told}
    kept: dict[str, Decision] = {}
    truth = backtest(rules, told, cash=CASH_IN, start=start, keep=lambda d: kept.update({d.id: d}), backgrounds=grounds)

    await until_told_all(await an_engine(rules, told, books, start=start, cash=CASH_IN, calendars=CALENDARS))

    assert_same(books, truth)
    assert {d.id: d.passport for d in books.decisions.values()} == {d.id: d.passport for d in kept.values()}
    passports = [d.passport for d in kept.values() if d.passport is not None]
    assert len(passports) == len(kept)
    assert max(one.missing for one in passports) >= 3
    for decision in kept.values():
        check = next((c for c in decision.checks if c.name.startswith("missing of the last")), None)
        if check is not None and decision.passport is not None:
            missing = decision.passport.missing
            assert (int(check.value), check.holds) == (missing, missing <= missing_max)
            assert check.holds or decision.outcome is Outcome.REFUSED
