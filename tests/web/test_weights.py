"""The form by which an admin changes the sources' weights."""

import pytest

from evil2root.domain.signals.panel import DEFAULT_WEIGHTS
from evil2root.engine.access import Role
from tests.api.door import House
from tests.browser.serving import a_house
from tests.fakes.desk import FakeDesk, a_desk

NAMES = [name for name, _ in DEFAULT_WEIGHTS.by_source]
FORM = 'action="/signals/weights"'


@pytest.fixture
def desk() -> FakeDesk:
    return a_desk(bars=40)


@pytest.fixture
def house(desk: FakeDesk) -> House:
    return a_house(desk)


def typed(**changes: str) -> dict[str, str]:
    weights = {f"weight_{name}": changes.get(name, str(weight)) for name, weight in DEFAULT_WEIGHTS.by_source}
    return {**weights, "seen": changes.get("seen", "0")}


@pytest.mark.parametrize("role", list(Role))
async def test_only_an_admin_is_shown_the_form(house: House, role: Role) -> None:
    async with house.signed_in(role) as (client, _):
        html = (await client.get("/signals")).text

    assert (FORM in html) == (role is Role.ADMIN)


async def test_an_admin_changes_them_and_gives_them_back(house: House, desk: FakeDesk) -> None:
    moved = typed(**{NAMES[0]: "0", NAMES[1]: str(sum(weight for _, weight in DEFAULT_WEIGHTS.by_source[:2]))})
    async with house.signed_in() as (client, token):
        changed = await client.post("/signals/weights", data={**moved, "csrf_token": token})
        html = (await client.get("/signals")).text
        again = {**moved, "seen": "1", "how": "defaults", "csrf_token": token}
        back = await client.post("/signals/weights", data=again)

    assert (changed.status_code, back.status_code) == (303, 303)
    first, second = desk.weighing.asked
    assert first[0] == {name.removeprefix("weight_"): float(value) for name, value in moved.items() if name != "seen"}
    assert first[1:] == ("admin-person", "web 127.0.0.1")
    assert second[0] is None
    assert "admin-person set them" in html


@pytest.mark.parametrize("seen", ["0", "", "x", "-1", "9" * 30])
async def test_a_form_filled_in_over_other_weights_changes_nothing(house: House, desk: FakeDesk, seen: str) -> None:
    moved = typed(**{NAMES[0]: "0", NAMES[1]: str(sum(weight for _, weight in DEFAULT_WEIGHTS.by_source[:2]))})
    async with house.signed_in() as (client, token):
        await client.post("/signals/weights", data={**moved, "csrf_token": token})
        assert 'name="seen" value="1"' in (await client.get("/signals")).text
        await client.post("/signals/weights", data={**typed(seen=seen), "csrf_token": token})
        html = (await client.get("/signals")).text

    assert "Nothing was changed: admin-person changed the weights." in html
    assert len(desk.weighing.asked) == 1


@pytest.mark.parametrize(
    ("text", "says"), [("0.9", "instead of 1"), ("a lot", "write a number"), ("nan", "write a number")]
)
async def test_what_does_not_fit_stays_typed_and_says_why(house: House, desk: FakeDesk, text: str, says: str) -> None:
    async with house.signed_in() as (client, token):
        answer = await client.post("/signals/weights", data={**typed(**{NAMES[0]: text}), "csrf_token": token})

    assert answer.status_code == 422
    assert says in answer.text
    assert f'value="{text}"' in answer.text
    assert 'name="seen" value="0"' in answer.text, "what was seen when it was filled in"
    assert answer.text.count('aria-invalid="true"') == (0 if text == "0.9" else 1), "only what is wrong by itself"
    assert not desk.weighing.asked


@pytest.mark.parametrize("role", [Role.VIEWER, Role.TRADER])
async def test_others_are_refused(house: House, desk: FakeDesk, role: Role) -> None:
    async with house.signed_in(role) as (client, token):
        answer = await client.post("/signals/weights", data={**typed(), "csrf_token": token})

    assert answer.status_code == 403
    assert not desk.weighing.asked


async def test_a_form_without_its_token_is_refused(house: House, desk: FakeDesk) -> None:
    async with house.signed_in() as (client, _):
        answer = await client.post("/signals/weights", data=typed())

    assert answer.status_code == 403
    assert not desk.weighing.asked
