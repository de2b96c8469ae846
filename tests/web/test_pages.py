"""Every page over a real run of the kernel: it renders, says what the desk says, and keeps text text."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import httpx
import pytest

from evil2root.domain.kernel.record import Outcome
from evil2root.domain.risk.breaker import Breaker, BreakerState
from evil2root.engine.access import Role
from evil2root.engine.asking import Standing
from evil2root.engine.desk import Difference, Phase
from evil2root.web import format as f
from tests.browser.serving import a_house
from tests.fakes.desk import NASTY, FakeDesk, a_desk, decision_of
from tests.web.pages import PAGES

OUTCOMES = (Outcome.ORDERED, Outcome.EXIT_ORDERED, Outcome.BELOW_THRESHOLD, Outcome.HOLDING, Outcome.WARMING_UP)


class Tags(HTMLParser):
    """Collects start tags, and the ids they carry."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags_of(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    return parser.tags


def assert_sound(html: str) -> None:
    """No markup from data, nothing the security policy would refuse, no id twice."""
    tags = tags_of(html)
    assert all("src" in attrs for tag, attrs in tags if tag == "script")
    assert not [attrs for _, attrs in tags if "style" in attrs or any(a.startswith(("on", "hx-on")) for a in attrs)]
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids)), sorted(i for i in ids if ids.count(i) > 1 and i)


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_renders_and_keeps_nasty_text_as_text(trader: httpx.AsyncClient, path: str) -> None:
    answer = await trader.get(path)

    assert answer.status_code == 200, answer.text
    assert_sound(answer.text)
    assert "<script>alert" not in answer.text
    assert "None" not in re.sub(r"<[^>]*>", " ", answer.text)


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_has_an_empty_state_before_the_first_bar(path: str) -> None:
    async with a_house(a_desk(bars=0)).signed_in(Role.TRADER) as (client, _):
        answer = await client.get(path)

    assert answer.status_code == 200, answer.text
    assert_sound(answer.text)


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_a_decision_of_each_kind_is_explained_by_the_same_page(
    trader: httpx.AsyncClient, shared_desk: FakeDesk, outcome: Outcome
) -> None:
    decision = decision_of(shared_desk, outcome)

    answer = await trader.get(f"/decisions/{decision.id}")

    assert answer.status_code == 200, answer.text
    assert_sound(answer.text)
    text = unescape(re.sub(r"<[^>]*>", "", answer.text))
    for anchor in ("signals", "fusion", "validation", "risk", "order", "outcome"):
        assert f'href="#{anchor}"' in answer.text
    for source in decision.sources:
        assert f.true_minus(source.reason) in text
    if not decision.order_ids:
        assert "not reached" in text.casefold()
    if decision.why_not:
        assert f.true_minus(decision.why_not.strip().rstrip(".")) in text


async def test_an_ordered_decision_shows_the_whole_arithmetic_and_every_limit(
    trader: httpx.AsyncClient, shared_desk: FakeDesk
) -> None:
    decision = decision_of(shared_desk, Outcome.ORDERED)

    html = (await trader.get(f"/decisions/{decision.id}")).text

    for line in decision.sizing:
        assert line.label.replace("/ ", "÷ ") in html
    assert html.count("binds") >= sum(line.binds for line in decision.sizing)
    for check in decision.checks:
        assert check.name[1:] in html


class TestRegions:
    @pytest.mark.parametrize(
        ("broken", "says"),
        [
            ("equity", "The equity curve could not be read"),
            ("bars", "The positions could not be read"),
            ("decisions", "The decisions could not be read"),
            ("health", "The state of the system could not be read"),
        ],
    )
    async def test_one_that_fails_says_so_and_leaves_the_others(
        self, shared_desk: FakeDesk, broken: str, says: str
    ) -> None:
        desk = replace(shared_desk, reads=replace(shared_desk.reads, broken=frozenset({broken})))
        async with a_house(desk).signed_in(Role.TRADER) as (client, _):
            answer = await client.get("/")

        assert answer.status_code == 200
        assert says in answer.text
        assert answer.text.count("Try again") == 1
        assert "Open risk" in answer.text

    async def test_htmx_gets_the_block_of_its_target_and_everyone_else_the_page(
        self, trader: httpx.AsyncClient
    ) -> None:
        part = await trader.get("/", headers={"HX-Request": "true", "HX-Target": "section#risk"})
        again = await trader.get("/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})

        assert part.headers["Vary"] == again.headers["Vary"] == "HX-Request"
        assert part.text.lstrip().startswith('<section class="card risk" id="risk"')
        assert again.text.lstrip().startswith("<!doctype html>")


class TestStates:
    async def test_a_replay_can_not_be_taken_for_the_market(self, trader: httpx.AsyncClient) -> None:
        html = (await trader.get("/")).text

        assert '<span class="mode replay"' in html
        assert "Replay of recorded history, 18 Nov 2005" in html

    async def test_invented_prices_are_called_so_on_every_page(self) -> None:
        feed = replace(a_desk(bars=60).status().feed, source="simulated")
        async with a_house(a_desk(bars=60, feed=feed)).signed_in() as (client, _):
            pages = [(await client.get(path)).text for path in ("/", "/decisions", "/system")]

        assert all('<span class="mode replay" title="Prices are invented' in html for html in pages)
        assert all("SIMULATED" in html and "Replay of recorded history" not in html for html in pages)

    async def test_a_symbol_without_its_newest_bar_is_named_with_the_reason(self) -> None:
        known = a_desk(bars=60).status().feed
        feed = replace(known, source="yfinance", due=known.last_bar_at, missing=(("AAPL", "No source has AAPL"),))
        async with a_house(a_desk(bars=60, feed=feed)).signed_in() as (client, _):
            html = (await client.get("/system")).text

        assert "No newest bar of AAPL." in html
        assert "without AAPL: No source has AAPL" in html

    async def test_the_machine_page_tells_who_answers_and_who_is_left_alone(self) -> None:
        now = datetime(2005, 11, 18, 21, tzinfo=UTC)
        away = Standing(name="alpaca", requests_a_minute=60, requests_left=58, left_alone_until=now, answered_at=None,
                        says="the line is dead")  # fmt: skip
        there = Standing(name="yfinance", requests_a_minute=30, requests_left=29, left_alone_until=None,
                         answered_at=now, says="")  # fmt: skip
        known = a_desk(bars=60).status().feed
        feed = replace(known, source="alpaca,yfinance", due=known.last_bar_at, providers=(away, there))
        async with a_house(a_desk(bars=60, feed=feed)).signed_in() as (client, _):
            html = (await client.get("/system")).text

        assert "Source alpaca" in html
        assert "left alone until" in html
        assert "the line is dead" in html
        assert "29 of 30 requests a minute left" in html

    async def test_a_market_that_is_shut_does_not_make_its_newest_bar_stale(self) -> None:
        known = a_desk(bars=60).status().feed
        feed = replace(known, source="yfinance", due=known.last_bar_at)
        desk = a_desk(bars=60, feed=feed, now=datetime(2005, 6, 1, tzinfo=UTC))
        async with a_house(desk).signed_in() as (client, _):
            html = (await client.get("/")).text

        assert "The newest bar is" not in html

    async def test_live_money_shows_on_every_page(self) -> None:
        async with a_house(a_desk(bars=60, mode="live", simulated=False)).signed_in() as (client, _):
            html = (await client.get("/decisions")).text

        assert 'data-mode="live"' in html
        assert "<title>LIVE · " in html
        assert 'class="mode replay"' not in html

    async def test_a_stale_feed_is_said_with_its_age(self) -> None:
        desk = a_desk(bars=60, simulated=False, now=datetime(2005, 6, 1, tzinfo=UTC))
        async with a_house(desk).signed_in() as (client, _):
            html = (await client.get("/")).text

        assert "The newest bar is 67 d old." in html
        assert 'class="banner warn"' in html

    async def test_what_is_not_ready_says_why(self) -> None:
        desk = a_desk(bars=60, phase=Phase.RECOVERING, says="Asking the broker for fills.")
        async with a_house(desk).signed_in() as (client, _):
            html = (await client.get("/")).text

        assert "Recovering" in html
        assert "Asking the broker for fills." in html

    async def test_a_halt_is_the_first_thing_read_and_its_reason_stays_text(self) -> None:
        desk = a_desk(bars=60)
        breaker = Breaker(state=BreakerState.HALTED, reason=NASTY, by="ada", at=desk.status().now)
        desk.book.run.state = replace(desk.state, carry=replace(desk.state.carry, breaker=breaker))
        async with a_house(desk).signed_in(Role.TRADER) as (client, _):
            html = (await client.get("/decisions")).text

        assert "Entries are halted" in html
        assert 'href="/resume"' in html
        assert "<script>alert" not in html


class TestErrors:
    @pytest.mark.parametrize(
        "path", ["/nowhere", "/decisions/D-999999", "/decisions/%3Cscript%3E", "/symbols/NOPE", "/positions/NOPE/close"]
    )
    async def test_what_is_not_there_is_a_page_of_404_with_ways_on(self, trader: httpx.AsyncClient, path: str) -> None:
        answer = await trader.get(path)

        assert answer.status_code == 404
        assert "Nothing here" in answer.text
        assert 'href="/"' in answer.text
        assert_sound(answer.text)

    @pytest.mark.parametrize(
        "path",
        [
            "/decisions?status=x",
            "/decisions?cursor=x",
            "/symbols/MSFT?interval=2w",
            "/trades?from=-1",
            "/trades?result=x",
        ],
    )
    async def test_a_bad_value_in_the_address_is_named(self, trader: httpx.AsyncClient, path: str) -> None:
        answer = await trader.get(path)

        assert answer.status_code == 422
        assert "A value does not fit" in answer.text

    async def test_a_page_that_breaks_says_what_goes_on(self) -> None:
        desk = a_desk(bars=60)
        desk.reads.broken = frozenset({"all_trades"})
        async with a_house(desk).signed_in() as (client, _):
            answer = await client.get("/trades")

        assert answer.status_code == 500
        assert "The bot goes on by itself" in answer.text
        assert "all_trades is broken" not in answer.text

    async def test_programs_get_problem_details(self, trader: httpx.AsyncClient) -> None:
        answer = await trader.get("/api/v1/decisions/D-999999")

        assert answer.headers["content-type"] == "application/problem+json"


async def test_recomputing_shows_identical_or_each_difference() -> None:
    desk = a_desk(bars=90)
    name = decision_of(desk, Outcome.ORDERED, Outcome.BELOW_THRESHOLD).id
    async with a_house(desk).signed_in(Role.VIEWER) as (client, token):
        same = await client.post(f"/decisions/{name}/recompute", data={"csrf_token": token})
        desk.differences = (Difference(field="view.p_up", stored=0.61, recomputed=NASTY),)
        other = await client.post(f"/decisions/{name}/recompute", data={"csrf_token": token})

    assert "Identical." in same.text
    assert "Not identical." in other.text
    assert "view.p_up" in other.text
    assert_sound(other.text)


async def test_static_files_are_kept_for_good_only_by_their_hash(trader: httpx.AsyncClient) -> None:
    html = (await trader.get("/")).text
    hashed = re.search(r'"(/static/css/pages\.css\?v=[0-9a-f]{12})"', html)
    assert hashed is not None

    named, plain = await trader.get(hashed[1]), await trader.get("/static/js/charts.js")

    assert "immutable" in named.headers["cache-control"]
    assert plain.headers["cache-control"] == "no-cache"
    assert plain.headers["etag"]


async def test_the_chart_is_also_a_picture_and_refuses_a_theme_it_does_not_have(trader: httpx.AsyncClient) -> None:
    picture = await trader.get("/symbols/MSFT/chart.png?theme=light")
    refused = await trader.get("/symbols/MSFT/chart.png?theme=pink")
    unknown = await trader.get("/symbols/NOPE/chart.png")

    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert (refused.status_code, unknown.status_code) == (422, 404)
    assert "use dark or light" in refused.text
