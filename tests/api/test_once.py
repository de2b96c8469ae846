"""Requests that move money are carried out once; bodies mean one thing only."""

import asyncio
from datetime import timedelta

import pytest
from fastapi import FastAPI

from evil2root.domain.kernel.actions import Reply
from evil2root.engine.access import Role
from tests.api.door import API, House, assert_problem, idempotent
from tests.fakes.desk import FakeDesk, a_desk


@pytest.fixture
def house(shared_app: FastAPI) -> House:
    return House(a_desk(bars=1), app=shared_app)


HALT = f"{API}/halt"


class Waiting(FakeDesk):
    """Its halt waits until it may go on, then does what the desk does, or breaks."""

    __slots__ = ("breaks", "entered", "gate", "started")

    def begin(self, *, breaks: bool) -> None:
        self.breaks, self.gate, self.entered, self.started = breaks, asyncio.Event(), asyncio.Event(), 0

    async def halt(self, *, by: str, origin: str, reason: str, cancel: bool, flatten: bool) -> Reply:
        self.started += 1
        self.entered.set()
        await self.gate.wait()
        if self.breaks:
            msg = "the wire was cut"
            raise RuntimeError(msg)
        return await super().halt(by=by, origin=origin, reason=reason, cancel=cancel, flatten=flatten)


def waiting(*, breaks: bool) -> tuple[House, Waiting]:
    plain = a_desk(bars=1)
    desk = Waiting(policy=plain.policy, book=plain.book, reads=plain.reads)
    desk.begin(breaks=breaks)
    return House(desk), desk


class TestIdempotency:
    async def test_a_missing_key_is_named(self, house: House) -> None:
        async with house.keyed(Role.TRADER) as client:
            answer = await client.post(HALT)

        assert_problem(answer, 422, "Idempotency-Key")
        assert house.desk.asked == []

    @pytest.mark.parametrize("key", ["", "a b", "x" * 256, "caf\u00e9", "tab\there"])
    async def test_a_key_is_1_to_255_visible_characters(self, house: House, key: str) -> None:
        async with house.keyed(Role.TRADER) as client:
            answer = await client.post(HALT, headers=[(b"Idempotency-Key", key.encode())])

        assert_problem(answer, 422)

    async def test_the_same_request_gets_the_first_answer(self, house: House) -> None:
        async with house.keyed(Role.TRADER) as client:
            first = await client.post(HALT, json={"reason": "lunch"}, headers=idempotent("k"))
            again = await client.post(HALT, json={"reason": "lunch"}, headers=idempotent("k"))

        assert len(house.desk.asked) == 1
        assert first.content == again.content
        assert again.headers["idempotency-replayed"] == "true"

    async def test_a_refusal_is_given_again_too(self, house: House) -> None:
        async with house.keyed(Role.TRADER) as client:
            first = await client.post(f"{API}/resume", json={"reason": "go"}, headers=idempotent("k"))
            await client.post(HALT, headers=idempotent("k2"))
            again = await client.post(f"{API}/resume", json={"reason": "go"}, headers=idempotent("k"))

        assert_problem(first, 409, "Nothing is halted")
        assert first.content == again.content
        assert again.headers["content-type"] == "application/problem+json"

    async def test_another_body_or_path_is_a_clash(self, house: House) -> None:
        async with house.keyed(Role.TRADER) as client:
            await client.post(HALT, json={"reason": "lunch"}, headers=idempotent("k"))
            body = await client.post(HALT, json={"reason": "dinner"}, headers=idempotent("k"))
            path = await client.post(f"{API}/resume", json={"reason": "lunch"}, headers=idempotent("k"))

        assert_problem(body, 409, "another request")
        assert_problem(path, 409, "another request")
        assert len(house.desk.asked) == 1

    async def test_two_people_may_use_one_key(self, house: House) -> None:
        async with house.keyed(Role.TRADER) as one, house.keyed(Role.TRADER) as other:
            await one.post(HALT, headers=idempotent("k"))
            answer = await other.post(HALT, headers=idempotent("k"))

        assert answer.status_code == 200
        assert len(house.desk.asked) == 2

    async def test_of_two_at_once_one_is_carried_out(self) -> None:
        house, desk = waiting(breaks=False)
        async with house.keyed(Role.TRADER) as client:
            first = asyncio.create_task(client.post(HALT, headers=idempotent("k")))
            await desk.entered.wait()
            second = await client.post(HALT, headers=idempotent("k"))
            desk.gate.set()
            done = await first

        assert_problem(second, 409, "not answered yet")
        assert done.status_code == 200
        assert desk.started == 1

    async def test_a_break_down_is_not_tried_again(self) -> None:
        house, desk = waiting(breaks=True)
        desk.gate.set()
        async with house.keyed(Role.TRADER) as client:
            first = await client.post(HALT, headers=idempotent("k"))
            again = await client.post(HALT, headers=idempotent("k"))

        assert desk.started == 1
        assert_problem(first, 500)
        assert_problem(again, 500, "not known")

    async def test_a_key_may_be_used_anew_after_a_day(self, house: House) -> None:
        async with house.keyed(Role.TRADER) as client:
            await client.post(HALT, headers=idempotent("k"))
            house.clock.forward(timedelta(days=1, seconds=1))
            await client.post(HALT, headers=idempotent("k"))

        assert len(house.desk.asked) == 2


class TestStrictBodies:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ('{"reason": "a", "reason": "b"}', "the key 'reason' is there twice"),
            ('{"reason": "a", "more": 1}', "more"),
            ('{"reason": ""}', "reason"),
            ('{"reason": 7}', "reason"),
            ('{"reason": "' + "x" * 301 + '"}', "reason"),
            ('{"reason": "a\\u0000b"}', "reason"),
            ('{"reason": "a\\nb"}', "reason"),
            ('{"reason": "\\ud800"}', "surrogate"),
            ('{"cancel": "true"}', "cancel"),
            ('{"cancel": 1}', "cancel"),
            ('{"reason": NaN}', "NaN is no number"),
            ("[" * 100_000, "nested too deeply"),
            ('{"reason": ' + "9" * 5_000 + "}", "no JSON"),
            ("{", "no JSON"),
            ("[]", "body"),
            ('"x"', "body"),
        ],
    )
    async def test_a_body_that_means_more_than_one_thing_is_refused(self, house: House, body: str, says: str) -> None:
        async with house.keyed(Role.TRADER) as client:
            headers = idempotent("k") | {"Content-Type": "application/json"}
            answer = await client.post(HALT, content=body, headers=headers)

        assert_problem(answer, 422, says)
        assert house.desk.asked == []

    @pytest.mark.parametrize(
        "number", ["NaN", "Infinity", "-1", "0", "1e999", "1e-999", "true", '"1e3"', '"NaN"', '""', '" 1"', '"-1"',
                   '"0x10"', '"1_000"', '"\u0661"', "null", "[]", "1000000000000000", "0.00000000001", '"' + "9" * 400 + '"']
    )  # fmt: skip
    async def test_a_price_is_a_finite_decimal_above_zero(self, house: House, number: str) -> None:
        async with house.keyed(Role.TRADER) as client:
            headers = idempotent("k") | {"Content-Type": "application/json"}
            answer = await client.patch(f"{API}/positions/AAPL", content=f'{{"stop": {number}}}', headers=headers)

        assert_problem(answer, 422, "body")

    async def test_a_form_is_no_body_here(self, house: House) -> None:
        async with house.signed_in() as (client, token):
            answer = await client.post(HALT, data={"reason": "x", "csrf_token": token}, headers=idempotent("k"))

        assert_problem(answer, 422)
