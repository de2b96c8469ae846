from itertools import pairwise

import pytest
from fastapi import FastAPI

from evil2root.domain.market.window import WINDOW_BARS
from tests.api.door import API, House, assert_problem
from tests.fakes.desk import a_desk
from tests.fakes.market import market


async def test_gives_the_indicators_that_are_named_and_no_other(house: House) -> None:
    async with house.keyed() as client:
        answer = await client.get(f"{API}/symbols/AAPL/indicators?limit=20&name=willr_14&name=bollinger")

    columns = answer.json()["columns"]
    assert set(columns) == {"close", "willr_14", "bb_upper", "bb_mid", "bb_lower", "bb_pct", "bb_width"}
    assert all(-100.0 <= value <= 0.0 for value in columns["willr_14"])


async def test_an_unknown_indicator_is_answered_with_near_ones(house: House) -> None:
    async with house.keyed() as client:
        answer = await client.get(f"{API}/symbols/AAPL/indicators?name=wilr_14")

    assert_problem(answer, 422, "willr_14")


async def test_lists_every_indicator_with_its_range(house: House) -> None:
    async with house.keyed() as client:
        items = (await client.get(f"{API}/symbols/indicators")).json()["items"]

    (found,) = (item for item in items if item["name"] == "willr")
    assert found == {
        "name": "willr",
        "inputs": ["high", "low", "close"],
        "params": {"timeperiod": 14},
        "columns": [{"name": "willr_14", "unit": "points", "warm_up": 13, "low": -100.0, "high": 0.0}],
    }


async def test_a_running_total_has_one_start_for_all_of_an_answer(shared_app: FastAPI) -> None:
    """Else it would jump to another base wherever a window of the decisions ends."""
    desk = a_desk(bars=30)
    bars = market(7, bars=WINDOW_BARS + 40, start=50.0)
    desk.reads.frames = {**desk.reads.frames, "AAPL": bars}
    desk.status_changes["now"] = bars["closed_at"][-1]

    async with House(desk, app=shared_app).keyed() as client:
        answer = await client.get(f"{API}/symbols/AAPL/indicators?limit=100&name=obv")

    told = answer.json()
    newest = bars.tail(100)
    assert told["opened_at"] == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in newest["opened_at"]]
    steps = [abs(b - a) for a, b in pairwise(told["columns"]["obv"])]
    assert steps == pytest.approx(newest["volume"].to_list()[1:])
