"""What the risk rules keep comes back from its text as it was, and books of before read as if nothing happened yet."""

import json
from dataclasses import replace
from decimal import Decimal
from functools import cache

from evil2root.adapters.postgres.codec import CARRY, decision_of, decision_row
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Carry
from evil2root.domain.risk.breaker import Cause, tripped
from evil2root.domain.risk.exposure import Company, Exposure, Pace
from evil2root.domain.risk.memory import Begun, RiskMemory, Sent
from evil2root.engine.replay import backtest
from tests.builders import DAY_ONE
from tests.engine.test_live_engine import frames


@cache
def an_entry() -> Decision:
    told = frames(380)
    policy = make_policy(
        "fusion", {"entry_threshold": "0.05", "threshold": "0.5"}, account="paper", currency="USD",
        interval=Interval.D1, instruments={symbol: instrument_for(symbol) for symbol in told},
    )  # fmt: skip
    kept: dict[str, Decision] = {}
    backtest(policy, told, cash=Money(Decimal(100_000)), keep=lambda d: kept.update({d.id: d}))
    return next(d for d in kept.values() if d.outcome is Outcome.ORDERED and d.exposure and d.exposure.gross)


def test_a_decision_keeps_every_fact_and_check() -> None:
    made = an_entry()

    again = decision_of(decision_row(made))

    assert again == made
    assert again.exposure is not None
    assert isinstance(again.exposure.company, Company)
    assert len(again.exposure.company.held) == 60


def test_a_decision_of_before_reads_without_the_newer_facts() -> None:
    row = decision_row(an_entry())
    record = json.loads(row["record"])
    newer = {"net", "held", "groups", "heat", "average_volume", "last_price", "previous_close", "company",
             "volatility", "parity_share", "win", "pace"}  # fmt: skip
    record["exposure"] = {name: value for name, value in record["exposure"].items() if name not in newer}
    for check in record["checks"]:
        del check["unit"]

    again = decision_of(row | {"record": json.dumps(record)})

    assert isinstance(again.exposure, Exposure)
    assert (again.exposure.company, again.exposure.pace) == (None, Pace())


def test_the_memory_and_the_switch_come_back() -> None:
    memory = RiskMemory(
        sent=(Sent(symbol="AAPL", side=Side.BUY, quantity=Decimal("1.5"), at=DAY_ONE),), day=DAY_ONE.date(),
        sent_today=3, losses=2, rejections=1, peak=Money(Decimal("100.01")), capital=Money(Decimal(90)),
        begun={"AAPL": Begun(opened_at=DAY_ONE, number=7)},
    )  # fmt: skip
    carry = replace(Carry(risk=memory), breaker=tripped(Cause.DRAWDOWN, "a third gone", at=DAY_ONE))

    assert CARRY.value(CARRY.text(carry)) == carry


def test_an_account_of_before_remembers_nothing() -> None:
    document = json.loads(CARRY.text(Carry()))
    del document["risk"]
    del document["breaker"]["cause"]

    assert CARRY.value(json.dumps(document)).risk == RiskMemory()
