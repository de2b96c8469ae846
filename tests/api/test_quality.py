"""What the API says of the quality of a symbol's data."""

from tests.api.door import API, House, assert_problem


async def test_names_what_is_odd_and_gives_the_last_bars_passport(house: House) -> None:
    async with house.keyed() as client:
        told = (await client.get(f"{API}/symbols/AAPL/quality")).json()

    assert [issue["kind"] for issue in told["issues"]] == ["outside_session"]  # the seeded days know no holidays
    assert told["bars"] == 230
    assert (told["passport"]["calendar"], told["passport"]["missing"]) == ("XNYS", 0)


async def test_knows_no_quality_of_a_symbol_without_bars(house: House) -> None:
    async with house.keyed() as client:
        assert_problem(await client.get(f"{API}/symbols/NONE/quality"), 404, "There are no bars of")
