"""The books beside the broker's, by the API."""

from dataclasses import replace
from decimal import Decimal

import pytest

from evil2root.domain.book.external import External
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.side import Side
from evil2root.engine.access import Role
from evil2root.engine.differences import Divergence
from tests.api.door import API, House
from tests.builders import DAY_ONE, an_order
from tests.fakes.desk import NASTY
from tests.fakes.reconciling import NOTHING

FOUND = replace(
    NOTHING,
    differences=(Divergence(what="AAPL", ours=Decimal(0), theirs=Decimal("7.5")),),
    ignored={"TSLA": Decimal(3)},
    external=(
        External(
            broker_order_id="S-1", client_order_id="", symbol="MSFT", side=Side.BUY, kind="limit", left=Decimal(5),
            price=Decimal("10.10"), created_at=DAY_ONE,
        ),
    ),
    frozen={"IBM": NASTY},
    doubtful=(an_order(Side.BUY, 10, state=OrderState.UNKNOWN, why_state="the connection was cut"),),
)  # fmt: skip


@pytest.fixture
def torn(fresh_house: House) -> House:
    fresh_house.desk.reconciling.found = FOUND
    return fresh_house


async def test_tells_everything_that_is_in_doubt(torn: House) -> None:
    async with torn.keyed(Role.VIEWER) as client:
        told = (await client.get(f"{API}/reconcile")).json()

    assert told["agrees"] is False
    assert told["differences"] == [{"what": "AAPL", "ours": "0", "theirs": "7.5"}]
    assert told["ignored"] == {"TSLA": "3"}
    assert told["external"][0] == {
        "broker_order_id": "S-1", "client_order_id": "", "symbol": "MSFT", "side": "buy", "kind": "limit", "left": "5",
        "price": "10.10", "created_at": "2024-01-02T14:30:00Z",
    }  # fmt: skip
    assert told["frozen"] == [{"symbol": "IBM", "reason": NASTY}]
    assert told["doubtful"][0]["why"] == "the connection was cut"


async def test_agreement_is_unknown_while_something_moves(fresh_house: House) -> None:
    fresh_house.desk.reconciling.found = replace(NOTHING, unsure="something is under way")

    async with fresh_house.keyed(Role.VIEWER) as client:
        told = (await client.get(f"{API}/reconcile")).json()

    assert (told["agrees"], told["unsure"]) == (None, "something is under way")


@pytest.mark.parametrize("how", ["adopt", "close", "ignore"])
async def test_a_trader_settles_a_difference_once(torn: House, how: str) -> None:
    body = {"what": "AAPL", "how": how, "reason": "bought by hand"}
    async with torn.keyed(Role.TRADER) as client:
        first = await client.post(f"{API}/reconcile", json=body, headers={"Idempotency-Key": "k"})
        again = await client.post(f"{API}/reconcile", json=body, headers={"Idempotency-Key": "k"})

    assert (first.status_code, again.status_code) == (200, 200)
    ((asked, what, by, origin, reason),) = torn.desk.reconciling.asked
    assert (asked, what, reason) == (how, "AAPL", "bought by hand")
    assert by.startswith("key:")
    assert origin.startswith("api ")


async def test_what_does_not_differ_is_a_conflict(torn: House) -> None:
    async with torn.keyed(Role.TRADER) as client:
        answer = await client.post(
            f"{API}/reconcile",
            json={"what": "GOOG", "how": "adopt", "reason": "why not"},
            headers={"Idempotency-Key": "k"},
        )

    assert answer.status_code == 409
    assert "GOOG does not differ" in answer.json()["detail"]


async def test_a_symbol_is_thawed_and_a_doubt_is_ended(torn: House) -> None:
    async with torn.keyed(Role.TRADER) as client:
        thawed = await client.post(
            f"{API}/symbols/IBM/thaw", json={"reason": "looked"}, headers={"Idempotency-Key": "a"}
        )
        confirmed = await client.post(
            f"{API}/orders/o-1/confirm", json={"placed": False, "reason": "looked"}, headers={"Idempotency-Key": "b"}
        )

    assert (thawed.status_code, confirmed.status_code) == (200, 200)
    assert [a[:2] for a in torn.desk.reconciling.asked] == [("thaw", "IBM"), ("not placed", "o-1")]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("reconcile", {"what": "AAPL", "how": "forget", "reason": "x"}),
        ("reconcile", {"what": "AAPL", "how": "adopt", "reason": ""}),
        ("reconcile", {"how": "adopt", "reason": "x"}),
        ("orders/o-1/confirm", {"placed": "yes", "reason": "x"}),
        ("symbols/IBM/thaw", {}),
    ],
)
async def test_what_is_asked_wrongly_does_nothing(torn: House, path: str, body: dict[str, str]) -> None:
    async with torn.keyed(Role.TRADER) as client:
        answer = await client.post(f"{API}/{path}", json=body, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 422
    assert not torn.desk.reconciling.asked


async def test_a_viewer_settles_nothing(torn: House) -> None:
    async with torn.keyed(Role.VIEWER) as client:
        answer = await client.post(
            f"{API}/reconcile", json={"what": "AAPL", "how": "adopt", "reason": "x"}, headers={"Idempotency-Key": "k"}
        )

    assert answer.status_code == 403


async def test_a_halt_goes_through_while_the_stores_of_people_and_keys_are_away(
    fresh_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        msg = "the database is away"
        raise ConnectionError(msg)

    async with fresh_house.keyed(Role.TRADER) as client:
        await client.get(f"{API}/status")
        monkeypatch.setattr(fresh_house.store, "key", away)
        monkeypatch.setattr(fresh_house.once, "begin", away)
        answer = await client.post(f"{API}/halt", json={"reason": "now"}, headers={"Idempotency-Key": "k"})
        others = await client.post(f"{API}/resume", json={"reason": "now"}, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 200
    assert others.status_code >= 500, "nothing else goes by without asking who it is"
    assert fresh_house.desk.state.carry.breaker.reason == "now"
