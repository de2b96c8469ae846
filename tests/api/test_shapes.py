"""Patterns and levels, in the shapes scripts read."""

from tests.api.door import API, House, assert_problem

PATTERN = {
    "id",
    "kind",
    "direction",
    "points",
    "quality",
    "confirmed_at",
    "breakout",
    "target",
    "invalidation",
    "record",
}


async def test_patterns_have_points_on_their_bars_and_the_newest_come_first(house: House) -> None:
    async with house.keyed() as client:
        answer = await client.get(f"{API}/symbols/AAPL/patterns?candles=true")
        bars = (await client.get(f"{API}/symbols/AAPL/bars?limit=5000")).json()["items"]

    items = answer.json()["items"]
    prices = {bar["opened_at"]: {bar["high"], bar["low"], bar["close"]} for bar in bars}
    assert answer.status_code == 200
    assert items
    assert all(set(item) == PATTERN for item in items)
    assert all(point["price"] in prices[point["time"]] for item in items for point in item["points"])
    assert [item["confirmed_at"] for item in items] == sorted((item["confirmed_at"] for item in items), reverse=True)
    assert any(item["kind"].startswith("CDL") for item in items)


async def test_a_kind_has_one_record_whichever_symbol_or_part_of_it_is_asked_for(house: House) -> None:
    records: dict[str, list[object]] = {}
    async with house.keyed() as client:
        for question in ("AAPL/patterns?candles=true", "MSFT/patterns?candles=true", "MSFT/patterns?limit=150"):
            for item in (await client.get(f"{API}/symbols/{question}")).json()["items"]:
                records.setdefault(item["kind"], []).append(item["record"])

    shared = [told for told in records.values() if len(told) > 1]
    assert shared
    assert all(record == told[0] for told in shared for record in told)
    assert all(record["symbols"] == 5 for told in shared for record in told)  # type: ignore[index]


async def test_a_record_says_its_share_beside_chance_and_what_it_rests_on(house: House) -> None:
    async with house.keyed() as client:
        items = (await client.get(f"{API}/symbols/AAPL/patterns?candles=true")).json()["items"]
        (last,) = (await client.get(f"{API}/symbols/AAPL/bars?limit=1")).json()["items"]

    for record in (item["record"] for item in items):
        ended = record["reached"] + record["failed"]
        assert record["share"] == (record["reached"] / ended if ended else None)
        assert (record["chance"] is None) == (ended == 0)
        assert ended == 0 or record["low"] <= record["share"] <= record["high"]
        assert record["until"] == last["closed_at"]


async def test_a_record_before_a_time_counts_nothing_that_came_later(house: House) -> None:
    async with house.keyed() as client:
        bars = (await client.get(f"{API}/symbols/AAPL/bars?limit=100")).json()["items"]
        end = bars[0]["opened_at"]
        asked = {"end": end, "candles": "true"}
        items = (await client.get(f"{API}/symbols/AAPL/patterns", params=asked)).json()["items"]
        whole = (await client.get(f"{API}/symbols/AAPL/patterns?candles=true")).json()["items"]

    now = {item["kind"]: item["record"] for item in whole}
    both = [(item["record"], now[item["kind"]]) for item in items if item["kind"] in now]
    assert both
    assert all(then["until"] <= end for then, _ in both)
    assert all(then["reached"] <= later["reached"] and then["bars"] < later["bars"] for then, later in both)
    assert any(then["failed"] < later["failed"] for then, later in both)


async def test_levels_come_strongest_first_and_stand_on_the_right_side_of_the_price(house: House) -> None:
    async with house.keyed() as client:
        items = (await client.get(f"{API}/symbols/AAPL/levels")).json()["items"]
        (last,) = (await client.get(f"{API}/symbols/AAPL/bars?limit=1")).json()["items"]

    assert items
    assert {"price", "role", "strength", "touches", "first_at", "last_at"} <= set(items[0])
    assert [item["strength"] for item in items] == sorted((item["strength"] for item in items), reverse=True)
    assert all((item["role"] == "support") == (item["price"] <= last["close"]) for item in items)


async def test_levels_before_a_time_know_nothing_of_later_bars(house: House) -> None:
    async with house.keyed() as client:
        bars = (await client.get(f"{API}/symbols/AAPL/bars?limit=60")).json()["items"]
        end = bars[0]["opened_at"]
        items = (await client.get(f"{API}/symbols/AAPL/levels", params={"end": end})).json()["items"]

    assert items
    assert all(item["last_at"] < end for item in items)


async def test_an_unknown_symbol_has_neither(house: House) -> None:
    async with house.keyed() as client:
        for part in ("patterns", "levels"):
            assert_problem(await client.get(f"{API}/symbols/NOPE/{part}"), 404, "'NOPE'")
