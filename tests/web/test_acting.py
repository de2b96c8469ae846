"""Forms by which a person acts: who may, what the desk hears, and what the person is told."""

import re
from decimal import Decimal

import httpx
import pytest

from evil2root.domain.kernel.events import CancelAsked, CloseAsked, HaltAsked, ResumeAsked, StopMoveAsked
from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.access import PRE_COOKIE, SESSION_COOKIE, Role
from tests.api.door import PASSWORD, House
from tests.browser.serving import a_house
from tests.fakes.desk import NASTY, FakeDesk, a_desk

FORMS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/halt", {"scope": "pause"}), ("/resume", {"reason": "x"}), ("/positions/MSFT/close", {"part": "all"}),
    ("/positions/MSFT/guards", {"stop": "1"}), ("/orders/abc/cancel", {}),
)  # fmt: skip


@pytest.fixture
def desk() -> FakeDesk:
    return a_desk()


@pytest.fixture
def house(desk: FakeDesk) -> House:
    return a_house(desk)


class TestWhoMay:
    @pytest.mark.parametrize(("path", "fields"), FORMS)
    async def test_a_viewer_gets_403_and_nothing_happens(
        self, house: House, desk: FakeDesk, path: str, fields: dict[str, str]
    ) -> None:
        async with house.signed_in(Role.VIEWER) as (client, token):
            answer = await client.post(path, data={**fields, "csrf_token": token})

        assert answer.status_code == 403
        assert "needs the role trader" in answer.text
        assert desk.asked == []

    @pytest.mark.parametrize(("path", "fields"), FORMS)
    async def test_a_form_without_its_token_does_nothing(
        self, house: House, desk: FakeDesk, path: str, fields: dict[str, str]
    ) -> None:
        async with house.signed_in(Role.TRADER) as (client, _):
            answer = await client.post(path, data=fields)

        assert answer.status_code == 403
        assert desk.asked == []

    async def test_a_viewer_sees_no_button_that_acts(self, house: House) -> None:
        async with house.signed_in(Role.VIEWER) as (client, _):
            pages = [(await client.get(path)).text for path in ("/", "/positions", "/symbols/MSFT")]

        assert not [html for html in pages if 'href="/halt"' in html or "/close" in html or "/guards" in html]


class TestHalt:
    @pytest.mark.parametrize(
        ("scope", "cancel", "flatten"), [("pause", False, False), ("cancel", True, False), ("flatten", True, True)]
    )
    async def test_stops_as_far_as_was_chosen_and_answers_once(
        self,
        house: House,
        desk: FakeDesk,
        scope: str,
        cancel: bool,
        flatten: bool,
    ) -> None:
        async with house.signed_in(Role.TRADER) as (client, token):
            done = await client.post("/halt", data={"scope": scope, "reason": NASTY, "csrf_token": token})
            shown, again = await client.get("/"), await client.get("/")

        asked = desk.asked[0]
        assert isinstance(asked, HaltAsked)
        assert (asked.cancel, asked.flatten, asked.by) == (cancel, flatten, "trader-person")
        assert done.status_code == 303
        assert "Halted: " in shown.text
        assert "Halted: " not in again.text
        assert "<script>alert" not in shown.text
        assert desk.state.carry.breaker.state is BreakerState.HALTED

    async def test_says_the_consequences_in_numbers_before(self, house: House, desk: FakeDesk) -> None:
        async with house.signed_in(Role.TRADER) as (client, _):
            html = (await client.get("/halt")).text

        assert (
            f"Closes {len(desk.state.portfolio.positions)} positions at market, about ${desk.state.portfolio.gross:,.0f}"
            in html
        )

    async def test_is_undone_with_a_reason_only(self, house: House, desk: FakeDesk) -> None:
        async with house.signed_in(Role.TRADER) as (client, token):
            await client.post("/halt", data={"csrf_token": token})
            bare = await client.post("/resume", data={"reason": "  ", "csrf_token": token})
            assert desk.state.carry.breaker.state is BreakerState.HALTED
            await client.post("/resume", data={"reason": "looked at it", "csrf_token": token})

        assert bare.headers["location"] == "/resume"
        asked = desk.asked[-1]
        assert isinstance(asked, ResumeAsked)
        assert asked.reason == "looked at it"
        assert desk.state.carry.breaker.lets_in


class TestClose:
    @pytest.mark.parametrize(
        ("part", "amount", "expected"),
        [("all", "", None), ("half", "", "half"), ("amount", "5", "5"), ("amount", "1,0", "10")],
    )
    async def test_closes_all_half_or_an_amount(
        self, house: House, desk: FakeDesk, part: str, amount: str, expected: str | None
    ) -> None:
        held = desk.state.portfolio.positions["MSFT"].size
        expected = str(held // 2) if expected == "half" else expected
        async with house.signed_in(Role.TRADER) as (client, token):
            answer = await client.post(
                "/positions/MSFT/close",
                data={"part": part, "amount": amount, "shown_quantity": str(held), "csrf_token": token},
            )

        asked = desk.asked[-1]
        assert isinstance(asked, CloseAsked)
        assert asked.quantity == (None if expected is None else Decimal(expected))
        assert answer.status_code == 303
        assert desk.origins[-1].startswith("web ")

    @pytest.mark.parametrize("amount", ["", "many", "NaN", "1e99", "-3", "900", "0.5"])
    async def test_keeps_the_form_and_says_what_does_not_fit(self, house: House, desk: FakeDesk, amount: str) -> None:
        before = desk.state.portfolio.positions
        async with house.signed_in(Role.TRADER) as (client, token):
            answer = await client.post(
                "/positions/MSFT/close", data={"part": "amount", "amount": amount, "csrf_token": token}
            )

        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert "Close MSFT" in answer.text
        assert desk.state.portfolio.positions == before

    async def test_shows_new_figures_first_when_the_old_ones_moved(self, house: House, desk: FakeDesk) -> None:
        held = desk.state.portfolio.positions["MSFT"].size
        async with house.signed_in(Role.TRADER) as (client, token):
            answer = await client.post(
                "/positions/MSFT/close", data={"shown_quantity": str(held - 1), "csrf_token": token}
            )

        assert answer.status_code == 409
        assert f"changed from {held - 1} to {held}" in answer.text
        assert desk.asked == []

    async def test_the_form_is_a_page_of_its_own_or_the_body_of_a_dialog(self, house: House) -> None:
        async with house.signed_in(Role.TRADER) as (client, _):
            page = await client.get("/positions/MSFT/close")
            part = await client.get(
                "/positions/MSFT/close", headers={"HX-Request": "true", "HX-Target": "div#sheet-body"}
            )

        assert page.text.startswith("<!doctype html>")
        assert part.text.lstrip().startswith("<form")
        assert 'value="half"' in part.text


class TestGuards:
    async def test_a_stop_moves_closer(self, house: House, desk: FakeDesk) -> None:
        async with house.signed_in(Role.TRADER) as (client, token):
            answer = await client.post("/positions/MSFT/guards", data={"stop": "246.00", "csrf_token": token})

        assert answer.status_code == 303
        asked = desk.asked[-1]
        assert isinstance(asked, StopMoveAsked)
        assert asked.target is None
        assert desk.state.portfolio.positions["MSFT"].stop == Decimal("246.00")

    @pytest.mark.parametrize(
        ("stop", "says"), [("1", "a stop only tightens"), ("near", "write a price"), ("999", "past the last price")]
    )
    async def test_a_bad_stop_is_refused_in_place(self, house: House, stop: str, says: str) -> None:
        async with house.signed_in(Role.TRADER) as (client, token):
            answer = await client.post("/positions/MSFT/guards", data={"stop": stop, "csrf_token": token})

        assert answer.status_code == 422
        assert says in answer.text
        assert f'name="stop" inputmode="decimal" autocomplete="off" value="{stop}"' in answer.text


async def test_a_guard_is_not_canceled_and_the_person_is_told(house: House, desk: FakeDesk) -> None:
    guard = next(o for o in desk.state.orders.values() if o.is_guard)
    async with house.signed_in(Role.TRADER) as (client, token):
        await client.post(f"/orders/{guard.client_order_id}/cancel", data={"csrf_token": token})
        shown = await client.get("/positions")

    assert isinstance(desk.asked[-1], CancelAsked)
    assert "A guard stays while the position is open" in shown.text


class TestSignIn:
    async def test_leads_back_to_the_page_that_was_asked_for_and_out_again(self, house: House) -> None:
        await house.access.add_user("ada", role=Role.VIEWER, password=PASSWORD, by="t", origin="t")
        async with house.client() as client:
            sent = await client.get("/decisions?status=ordered")
            page = await client.get(sent.headers["location"])
            form = _fields(page.text) | {"name": "ada", "password": PASSWORD}
            done = await client.post("/login", data=form)
            inside = await client.get("/decisions")
            token = re.search(r'name="csrf_token" value="([^"]+)"', inside.text)
            assert token is not None
            out = await client.post("/logout", data={"csrf_token": token[1]})
            after = await client.get("/decisions")

        assert done.headers["location"] == "/decisions?status=ordered"
        cookie = next(c for c in done.headers.get_list("set-cookie") if c.startswith(SESSION_COOKIE))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert inside.status_code == 200
        assert out.headers["location"] == "/login"
        assert after.status_code == 303

    async def test_says_the_same_for_a_wrong_name_and_a_wrong_password(self, house: House) -> None:
        await house.access.add_user("ada", role=Role.VIEWER, password=PASSWORD, by="t", origin="t")
        said = []
        async with house.client() as client:
            for name in ("ada", "nobody"):
                form = _fields((await client.get("/login")).text) | {"name": name, "password": "wrong password"}
                answer = await client.post("/login", data=form)
                said.append(re.sub(r'value="[^"]*"', "", answer.text))
                assert answer.status_code == 401

        assert said[0] == said[1]

    @pytest.mark.parametrize(
        "back", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
    )
    async def test_never_leads_to_another_site(self, house: House, back: str) -> None:
        async with house.client() as client:
            page = await client.get("/login", params={"next": back})

        assert _fields(page.text)["next"] == "/"

    async def test_says_whether_it_is_paper_before_anyone_signs_in(self, house: House) -> None:
        async with house.client() as client:
            html = (await client.get("/login")).text

        assert 'class="mode paper"' in html
        assert "REPLAY" in html
        assert PRE_COOKIE


def _fields(html: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html))


@pytest.mark.parametrize("raw", ["", "!!", "bm90IGpzb24=", "W10=", "eyJkb25lIjogMX0="])
async def test_a_forged_notice_is_left_out(house: House, raw: str) -> None:
    async with house.signed_in(Role.VIEWER) as (client, _):
        client.cookies.set("e2r_notice", raw)
        answer: httpx.Response = await client.get("/help")

    assert answer.status_code == 200
    assert "banner notice" not in answer.text
