"""Nobody gets in without showing who they are; nothing is changed by a form of another site."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import iter_route_contexts
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from structlog.typing import EventDict

from evil2root.api.edge import BODY_MAX, SECURITY_HEADERS
from evil2root.api.guard import PUBLIC, safe_next
from evil2root.engine.access import Role, Scope
from evil2root.engine.desk import Phase
from tests.api.door import API, BASE, PRE_COOKIE, House, assert_problem, idempotent
from tests.fakes.access import an_access
from tests.fakes.desk import a_desk

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def house() -> House:
    """An account that has only just begun: the door does not look at what is inside."""
    return House(a_desk(bars=1))


def paths_of(app: FastAPI) -> list[str]:
    """Every path anything is at, included and mounted routers too, with its parameters filled in."""
    found = []
    for context in iter_route_contexts(app.routes):
        route = getattr(context, "original_route", context)
        if isinstance(route, Mount):
            found.append(f"{route.path}/anything")
        else:
            found.append(str(context.path))
    return [p.replace("{symbol}", "AAPL").replace("{", "").replace("}", "").split(":")[0] for p in found]


def with_pages(house: House) -> None:
    """Add what the pages add: a page, a form, a stream, static files, a mounted app."""
    pages = APIRouter()

    @pages.get("/")
    @pages.get("/login")
    @pages.get("/decisions/{decision_id}")
    async def page(request: Request) -> Response:
        return PlainTextResponse(request.state.csrf)

    @pages.post("/login")
    @pages.post("/positions/{symbol}/close")
    async def form(request: Request) -> Response:
        fields = await request.form()
        return PlainTextResponse(" ".join(f"{k}={v}" for k, v in fields.items()))

    @pages.get("/events")
    async def events() -> Response:
        return PlainTextResponse("")

    house.app.include_router(pages)

    async def file(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    house.app.router.routes.append(Mount("/static", routes=[Route("/{path:path}", file)]))
    house.app.router.routes.append(Mount("/tools", routes=[Route("/{path:path}", file)]))


class TestDefaultDeny:
    async def test_every_route_but_the_public_ones_needs_somebody(self, house: House) -> None:
        with_pages(house)
        paths = paths_of(house.app)
        assert {"/login", "/metrics", "/events", f"{API}/status", f"{API}/orders/order_id", "/api/docs"} <= set(paths)

        async with house.client() as client:
            for path in [*paths, "/nothing/here", f"{API}/nothing", "/static", "/login/", "//login", "/healthz/x"]:
                for method in METHODS:
                    answer = await client.request(method, httpx.URL(BASE).copy_with(raw_path=path.encode()))
                    if path in PUBLIC or path.startswith("/static/"):
                        assert answer.status_code != 401, path
                    elif path.startswith(("/api", "/metrics", "/events", "/healthz")):
                        assert_problem(answer, 401)
                        assert "Bearer" in answer.headers["www-authenticate"]
                    else:
                        assert answer.status_code == 303, (method, path)
                        assert answer.headers["location"].startswith("/login")

    async def test_a_page_leads_to_the_sign_in_and_back(self, house: House) -> None:
        async with house.client() as client:
            answer = await client.get("/decisions/D-1?tab=a&b=c%20d")

        back = parse_qs(urlsplit(answer.headers["location"]).query)["next"][0]
        assert back == "/decisions/D-1?tab=a&b=c%20d"

    async def test_a_fragment_makes_the_browser_go_to_the_sign_in(self, house: House) -> None:
        async with house.client() as client:
            answer = await client.get("/decisions", headers={"HX-Request": "true"})

        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/login"

    @pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "//evil.example"])
    async def test_the_way_back_never_leads_to_another_site(self, house: House, path: str) -> None:
        async with house.client() as client:
            answer = await client.get(httpx.URL(BASE).copy_with(raw_path=path.encode()))

        back = parse_qs(urlsplit(answer.headers["location"]).query).get("next", ["/"])[0]
        assert answer.headers["location"].startswith("/login")
        assert back in {"/", "/%5Cevil.example"}

    @pytest.mark.parametrize("key", ["Bearer e2r_wrong", "Bearer", "Basic YTpi", "", "Bearer " + "x" * 5000])
    async def test_a_wrong_key_is_refused_also_beside_a_good_session(self, house: House, key: str) -> None:
        async with house.signed_in() as (client, _):
            assert_problem(await client.get(f"{API}/status", headers={"Authorization": key}), 401)

    async def test_nobody_is_let_in_before_the_door_stands(self, house: House) -> None:
        house.app.state.access = None

        async with house.client() as client:
            assert_problem(await client.get(f"{API}/status"), 503, "Starting")
            assert (await client.get("/healthz")).status_code == 200

    async def test_a_store_that_is_away_lets_nobody_in(self, house: House) -> None:
        class Away(type(house.store)):  # type: ignore[misc]
            async def session(self, _: str) -> None:
                msg = "the database is away"
                raise ConnectionError(msg)

        async with house.signed_in() as (client, _):
            house.app.state.access = an_access(Away())
            answer = await client.get(f"{API}/status")

        assert_problem(answer, 503, "Something broke here")
        assert "away" not in answer.text


class TestSafeNext:
    @pytest.mark.parametrize("path", ["/", "/decisions?symbol=AAPL&x=1", "/symbols/EURUSD%3DX"])
    def test_keeps_paths_of_this_site(self, path: str) -> None:
        assert safe_next(path) == path

    @given(st.text(max_size=40))
    def test_gives_nothing_a_browser_takes_for_another_site(self, text: str) -> None:
        for address in (text, f"/{text}", f"//{text}", f"/\\{text}", f"https:{text}", f"/\t/{text}"):
            safe = safe_next(address)
            assert safe.startswith("/")
            assert not safe.startswith(("//", "/\\"))
            assert not any(c in safe for c in "\t\r\n\\")


class TestForms:
    async def test_a_form_without_its_token_changes_nothing(self, house: House) -> None:
        async with house.signed_in() as (client, _):
            answer = await client.post(f"{API}/halt", headers=idempotent("k"))

        assert_problem(answer, 403, "token")
        assert house.desk.asked == []

    async def test_a_form_with_its_token_in_the_header_passes(self, house: House) -> None:
        async with house.signed_in() as (client, token):
            answer = await client.post(f"{API}/halt", headers=idempotent("k") | {"X-CSRF-Token": token})

        assert answer.status_code == 200, answer.text

    async def test_a_form_with_its_token_in_a_field_passes_and_is_read_again(self, house: House) -> None:
        with_pages(house)
        async with house.signed_in() as (client, token):
            answer = await client.post("/positions/AAPL/close", data={"csrf_token": token, "why": "é & <b>"})

        assert answer.status_code == 200
        assert answer.text == f"csrf_token={token} why=é & <b>"

    async def test_a_token_of_another_session_is_refused(self, house: House) -> None:
        async with house.signed_in(Role.VIEWER) as (_, other), house.signed_in() as (client, _):
            answer = await client.post(f"{API}/halt", headers=idempotent("k") | {"X-CSRF-Token": other})

        assert_problem(answer, 403)

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:8001"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://[", "Sec-Fetch-Site": "same-origin"},
        ],
    )
    async def test_a_request_from_another_site_is_refused_even_with_the_token(
        self, house: House, headers: dict[str, str]
    ) -> None:
        async with house.signed_in() as (client, token):
            sent = idempotent("k") | {"X-CSRF-Token": token} | headers
            assert_problem(await client.post(f"{API}/halt", headers=sent), 403)

    async def test_the_browsers_own_request_passes(self, house: House) -> None:
        async with house.signed_in() as (client, token):
            own = {"Origin": BASE, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": token}
            assert (await client.post(f"{API}/halt", headers=idempotent("k") | own)).status_code == 200

    async def test_a_key_needs_no_token(self, house: House) -> None:
        async with house.keyed(Role.TRADER) as client:
            assert (await client.post(f"{API}/halt", headers=idempotent("k"))).status_code == 200

    async def test_signing_in_needs_the_token_of_the_page(self, house: House) -> None:
        with_pages(house)
        async with house.client() as client:
            bare = await client.post("/login", data={"name": "ada"})
            page = await client.get("/login")
            assert page.cookies[PRE_COOKIE]
            forged = await client.post("/login", data={"csrf_token": "0" * 64})
            good = await client.post("/login", data={"csrf_token": page.text})

        assert [a.status_code for a in (bare, forged, good)] == [403, 403, 200]
        cookie = page.headers["set-cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/login"))

    async def test_cookies_ask_for_tls_where_there_is_tls(self) -> None:
        house = House(a_desk(bars=1))
        with_pages(house)
        transport = httpx.ASGITransport(house.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as client:
            assert "Secure" in (await client.get("/login")).headers["set-cookie"]


class TestRoles:
    READS = ("status", "symbols", "decisions", "orders", "fills", "positions", "trades", "portfolio", "sources",
             "settings", "system", "portfolio/equity", "portfolio/exposure", "portfolio/performance")  # fmt: skip
    MONEY = (("POST", "halt", None), ("POST", "resume", {"reason": "x"}), ("POST", "positions/NOPE/close", None),
             ("PATCH", "positions/NOPE", {"stop": "1"}), ("DELETE", "orders/nope", None))  # fmt: skip
    PEOPLE = (("GET", "users", None), ("GET", "apikeys", None), ("GET", "audit", None), ("DELETE", "users/nope", None),
              ("POST", "users", {"name": "bob", "role": "viewer", "password": "correct horse battery"}),
              ("POST", "apikeys", {"name": "bot", "role": "viewer"}), ("DELETE", "apikeys/nope", None))  # fmt: skip

    @pytest.mark.parametrize(
        ("role", "scopes", "may_trade", "may_admin"),
        [
            (Role.VIEWER, (), False, False),
            (Role.TRADER, (), True, False),
            (Role.ADMIN, (), True, True),
            (Role.TRADER, (Scope.READ,), False, False),
            (Role.ADMIN, (Scope.READ, Scope.ADMIN), False, True),
            (Role.ADMIN, (Scope.TRADE,), True, False),
        ],
    )
    async def test_each_may_what_its_role_and_scopes_allow(
        self, house: House, role: Role, scopes: tuple[Scope, ...], may_trade: bool, may_admin: bool
    ) -> None:
        async with house.keyed(role, *scopes) as client:
            for path in self.READS:
                assert (await client.get(f"{API}/{path}")).status_code == 200, path
            assert (await client.get("/metrics")).status_code == 200
            for allowed, requests in ((may_trade, self.MONEY), (may_admin, self.PEOPLE)):
                for method, path, body in requests:
                    answer = await client.request(method, f"{API}/{path}", json=body, headers=idempotent(path))
                    assert (answer.status_code != 403) is allowed, (path, answer.text)
                    if not allowed:
                        assert_problem(answer, 403, "this needs the right of a")


class TestShell:
    async def test_every_answer_carries_the_security_headers(self, house: House) -> None:
        with_pages(house)
        async with house.keyed() as client:
            answers = [
                await client.get(path)
                for path in ("/healthz", "/", f"{API}/status", "/nothing", "/static/x.css", "/api/docs", "/metrics")
            ]
            answers.append(await client.get("/", headers={"Host": "evil.example"}))

        for answer in answers:
            for name, value in SECURITY_HEADERS.items():
                assert answer.headers[name] == value
        assert [a.headers.get("cache-control") for a in answers] == ["no-store"] * 4 + [None] + ["no-store"] * 3

    @pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.evil.example", "localhost.evil.example", "["])
    async def test_other_names_are_refused(self, house: House, host: str) -> None:
        async with house.keyed() as client:
            assert_problem(await client.get(f"{API}/status", headers={"Host": host}), 421)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1"])
    async def test_loopback_names_are_known(self, house: House, host: str) -> None:
        async with house.keyed() as client:
            assert (await client.get(f"{API}/status", headers={"Host": host})).status_code == 200

    @pytest.mark.parametrize("body", [b"x" * (BODY_MAX + 1)])
    async def test_a_large_body_is_refused_whether_it_says_its_length_or_not(self, house: House, body: bytes) -> None:
        async def pieces() -> object:
            for start in range(0, len(body), 65_536):
                yield body[start : start + 65_536]

        async with house.keyed() as client:
            for content in (body, pieces()):
                answer = await client.post(f"{API}/halt", content=content, headers=idempotent("k"))  # type: ignore[arg-type]
                assert_problem(answer, 413, "1,048,576")

    async def test_what_breaks_is_told_by_its_trace_only(self, house: House, logged: list[EventDict]) -> None:
        @house.app.get("/api/v1/broken")
        async def broken() -> None:
            msg = "the secret cause"
            raise RuntimeError(msg)

        async with house.keyed() as client:
            answer = await client.get(f"{API}/broken")

        assert_problem(answer, 500, answer.json()["trace"])
        assert "secret" not in answer.text
        assert [(e["event"], e["trace"], e["exc_info"]) for e in logged] == [
            ("request.failed", answer.json()["trace"], True)
        ]
        assert answer.headers["content-security-policy"]

    async def test_a_zero_character_goes_nowhere(self, house: House) -> None:
        async with house.keyed() as client:
            assert_problem(await client.get(f"{API}/decisions/D%00"), 400)
            assert_problem(await client.get(f"{API}/decisions?cursor=%00"), 400)


class TestReady:
    async def test_is_200_only_when_it_trades(self) -> None:
        for phase in Phase:
            house = House(a_desk(bars=1, phase=phase, says=f"because {phase}"))
            async with house.client() as client:
                answer = await client.get("/readyz")
            assert answer.status_code == (200 if phase is Phase.READY else 503)
            assert answer.json() == {"status": phase.value, "reason": f"because {phase}"}

    async def test_says_starting_before_there_is_a_desk(self, house: House) -> None:
        house.app.state.desk = None
        async with house.client() as client:
            answer = await client.get("/readyz")

        assert (answer.status_code, answer.json()["status"]) == (503, "starting")
