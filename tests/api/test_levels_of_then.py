"""What is asked of a past moment does not depend on what came after it."""

from dataclasses import replace

from fastapi import FastAPI

from tests.api.door import API, House
from tests.domain.market.series import poisoned
from tests.fakes.desk import FakeDesk


async def test_levels_of_then_are_the_same_whatever_bars_came_later(shared_desk: FakeDesk, shared_app: FastAPI) -> None:
    bars = shared_desk.reads.frames["AAPL"]
    row = shared_desk.reads.frames["AAPL"].height - 60
    question = {"end": bars["opened_at"][row].isoformat().replace("+00:00", "Z")}
    asked = []

    for factor in (None, 1e3, 1e-3):
        frames = {**shared_desk.reads.frames}
        if factor is not None:
            frames["AAPL"] = poisoned(bars, since=row, factor=factor)
        desk = replace(shared_desk, reads=replace(shared_desk.reads, frames=frames))
        async with House(desk, app=shared_app).keyed() as client:
            asked.append((await client.get(f"{API}/symbols/AAPL/levels", params=question)).json()["items"])
            asked.append((await client.get(f"{API}/symbols/AAPL/levels")).json()["items"])

    then, now, *others = asked
    assert len(then) > 5
    assert others[0] == others[2] == then
    assert now not in others
