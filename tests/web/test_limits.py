"""The limits of a decision on its page: each in the unit its numbers are in, flags as a word."""

from dataclasses import replace
from decimal import Decimal

import pytest

from evil2root.domain.kernel.record import Outcome
from evil2root.domain.risk.check import Check, Unit
from evil2root.web.views.common import Place
from evil2root.web.views.decision_parts import CheckRow, check_rows, limits_words, sizing_rows, slack_words
from evil2root.web.views.overview import risk_card
from tests.fakes.desk import FakeDesk, decision_of


def place(desk: FakeDesk) -> Place:
    return Place(now=desk.status().now, zone="UTC", currency="USD", instruments=desk.policy.instruments)


def a_row(desk: FakeDesk, unit: Unit, *, name: str = "a limit", holds: bool = True) -> CheckRow:
    check = Check(name=name, value=Decimal("0.25"), limit=Decimal(4), holds=holds, advice="do less", unit=unit)
    decision = replace(decision_of(desk, Outcome.ORDERED), checks=(check,))
    return check_rows(decision, place(desk))[0]


@pytest.mark.parametrize(
    ("unit", "value", "limit"),
    [
        (Unit.MONEY, "$0.25", "$4.00"),
        (Unit.SHARE, "25.00%", "400.00%"),
        (Unit.COUNT, "0.25", "4"),
        (Unit.UNITS, "0.25", "4"),
        (Unit.NUMBER, "0.25", "4.00"),
        (Unit.FLAG, "yes", ""),
    ],
)
def test_a_limit_is_told_in_its_unit(shared_desk: FakeDesk, unit: Unit, value: str, limit: str) -> None:
    row = a_row(shared_desk, unit)

    assert (row.name, row.value, row.limit, row.advice) == ("A limit", value, limit, "")


def test_a_flag_that_does_not_hold_says_no_and_what_to_do(shared_desk: FakeDesk) -> None:
    row = a_row(shared_desk, Unit.FLAG, holds=False)

    assert (row.value, row.holds) == ("no", False)
    assert row.advice.startswith("Do less")


@pytest.mark.parametrize(("holds", "word"), [(True, "active"), (False, "stopped")])
def test_the_breaker_is_told_by_its_state(shared_desk: FakeDesk, holds: bool, word: str) -> None:
    assert a_row(shared_desk, Unit.FLAG, name="breaker", holds=holds).value == word


def test_a_limit_of_many_units_is_read_without_decimals(shared_desk: FakeDesk) -> None:
    check = Check(name="a limit", value=Decimal(879), limit=Decimal("5480198.47046997"), unit=Unit.UNITS, holds=True,
                  advice="")  # fmt: skip
    (row,) = check_rows(replace(decision_of(shared_desk, Outcome.ORDERED), checks=(check,)), place(shared_desk))

    assert (row.value, row.limit) == ("879", "5,480,198")


def test_the_limits_are_folded_under_what_they_come_to(shared_desk: FakeDesk) -> None:
    holds, broken = a_row(shared_desk, Unit.FLAG), a_row(shared_desk, Unit.FLAG, holds=False)

    assert limits_words((holds, holds)) == "All 2 hard limits hold"
    assert limits_words((holds, broken)) == "1 hard limit of 2 broken"


def test_caps_that_did_not_bind_are_folded_under_the_nearest(shared_desk: FakeDesk) -> None:
    rows = sizing_rows(decision_of(shared_desk, Outcome.ORDERED), place(shared_desk))

    slack = [row for row in rows if row.is_slack]
    nearest = min(slack, key=lambda row: row.room)
    assert not any(row.binds for row in slack)
    assert slack_words(rows) == f"{len(slack)} caps leave more room, {nearest.label.lower()} least: {nearest.value}"
    assert slack_words(()) == ""


def test_every_cap_of_a_size_is_shown_as_one(shared_desk: FakeDesk) -> None:
    decision = decision_of(shared_desk, Outcome.ORDERED)

    caps = {row.label for row in sizing_rows(decision, place(shared_desk)) if row.is_cap}

    assert {"Symbol cap", "Net cap", "Heat cap", "Cluster cap", "Cash"} <= caps
    assert "Risk budget" not in caps


def test_the_overview_holds_what_is_used_against_the_limits_in_force(shared_desk: FakeDesk) -> None:
    rows = {row.label: row.limit for row in risk_card(shared_desk).rows}
    limits = shared_desk.policy.limits

    assert limits.heat_frac is not None
    assert limits.drawdown_frac is not None
    assert rows["Loss if all stops hit"] == f"{limits.heat_frac:.0%}"
    assert rows["Drawdown from peak"] == f"{limits.drawdown_frac:.0%}"
