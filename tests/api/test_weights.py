"""Changing default weights over the API."""

from evil2root.engine.access import Role
from tests.api.door import API, House, assert_problem, idempotent

MOVED = {"weights": {"trend": 0.0}}


async def test_an_admin_gives_other_weights_once_and_the_list_says_who(fresh_house: House) -> None:
    house = fresh_house
    async with house.keyed() as client:
        before = (await client.get(f"{API}/sources")).json()
        first, second = (item for item in before["items"][:2])
        wanted = {first["name"]: 0.0, second["name"]: first["default_weight"] + second["default_weight"]}
        answers = [
            await client.patch(f"{API}/sources", json={"weights": wanted}, headers=idempotent("w-1")) for _ in range(2)
        ]
        after = (await client.get(f"{API}/sources")).json()
        back = await client.patch(f"{API}/sources", json={"weights": None}, headers=idempotent("w-2"))

    assert before["changed"] is None
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert after["changed"]["number"] == 1
    assert after["changed"]["weights"][first["name"]] == 0.0
    assert back.status_code == 200
    assert [asked for asked, _, _ in house.desk.weighing.asked] == [wanted, None]
    assert all(origin == "api 127.0.0.1" for _, _, origin in house.desk.weighing.asked)


async def test_who_says_what_was_seen_overwrites_nobody(fresh_house: House) -> None:
    async with fresh_house.keyed() as client:

        async def asked(key: str, body: dict[str, object]) -> int:
            return (await client.patch(f"{API}/sources", json=body, headers=idempotent(key))).status_code

        assert await asked("a", {"weights": None, "seen": 0}) == 200
        assert await asked("b", {"weights": None, "seen": 0}) == 409
        assert await asked("c", {"weights": None, "seen": 1}) == 200
        assert await asked("d", {"weights": None}) == 200
        assert await asked("e", {"weights": None, "seen": -1}) == 422
        assert await asked("f", {"weights": None, "seen": "1"}) == 422


async def test_nobody_but_an_admin_changes_weights(fresh_house: House) -> None:
    house = fresh_house
    async with house.client() as client:
        assert_problem(await client.patch(f"{API}/sources", json=MOVED, headers=idempotent("n")), 401)
    for role in (Role.VIEWER, Role.TRADER):
        async with house.keyed(role) as client:
            assert_problem(await client.patch(f"{API}/sources", json=MOVED, headers=idempotent("n")), 403, "admin")

    assert not house.desk.weighing.asked


async def test_weights_that_do_not_fit_are_named_with_their_sum(fresh_house: House) -> None:
    async with fresh_house.keyed() as client:

        async def refused(key: str, body: object) -> dict[str, object]:
            answer = await client.patch(f"{API}/sources", json=body, headers=idempotent(key))
            assert_problem(answer, 422)
            found: dict[str, object] = answer.json()
            return found

        listed = (await client.get(f"{API}/sources")).json()["items"]
        off = await refused("a", {"weights": {listed[0]["name"]: 1.0}})
        unknown = await refused("b", {"weights": {"moon": 0.1}})
        for place, bad in enumerate(
            ({}, {"weights": {"trend": 1.5}}, {"weights": {"trend": "0.1"}}, {"weights": {"trend": True}}, {"more": 1})
        ):
            await refused(f"c{place}", bad)

    total = 1.0 + sum(item["default_weight"] for item in listed[1:])
    assert f"sum to {total:.12g} instead of 1" in str(off["detail"])
    assert f"{listed[0]['name']} 1.0" in str(off["detail"])
    assert off["errors"] == [{"field": "body.weights", "detail": off["detail"]}]
    assert "moon" in str(unknown["detail"])
    assert not fresh_house.desk.weighing.asked
