"""What the routes answer, in the shapes scripts read."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from evil2root.domain.kernel.record import Outcome
from evil2root.domain.market.window import features_series
from evil2root.engine.access import Role
from evil2root.engine.desk import Difference
from tests.api.door import API, House, assert_problem, idempotent
from tests.fakes.desk import NASTY, decision_of

MONEY = re.compile(r"-?\d+(\.\d+)?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


async def get(house: House, path: str, **params: Any) -> Any:
    async with house.keyed() as client:
        answer = await client.get(f"{API}/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ask(house: House, method: str, path: str, key: str = "k", **sent: Any) -> httpx.Response:
    async with house.keyed(Role.TRADER) as client:
        headers = idempotent(key) | {"Content-Type": "application/json"}
        return await client.request(method, f"{API}/{path}", headers=headers, **sent)


class TestStatus:
    async def test_tells_what_a_script_asks_first(self, house: House) -> None:
        status = await get(house, "status")

        assert (status["mode"], status["halted"], status["leader"], status["simulated"]) == ("paper", False, True, True)
        assert Decimal(status["equity"]) == house.desk.state.portfolio.equity
        assert Decimal(status["day_pnl"]) == house.desk.state.portfolio.equity - house.desk.state.carry.day_equity
        assert (status["feed"]["age_s"], status["feed"]["badge"], status["feed"]["providers"]) == (0, "REPLAY", [])
        assert TIME.fullmatch(status["now"])

    async def test_says_when_a_person_has_halted_it(self, fresh_house: House) -> None:
        await fresh_house.desk.halt(by="ada", origin="t", reason="lunch", cancel=False, flatten=False)

        status = await get(fresh_house, "status")

        assert status["halted"] is True
        assert (status["breaker"]["by"], status["breaker"]["reason"]) == ("ada", "lunch")


class TestMarket:
    async def test_lists_symbols_with_their_bars(self, house: House) -> None:
        listed = await get(house, "symbols")

        assert [row["symbol"] for row in listed["items"]] == list(house.desk.policy.instruments)
        assert {"interval": "1d", "bars": 230, "traded": True}.items() <= listed["items"][0].items()

    async def test_gives_the_newest_bars_oldest_first_as_numbers(self, house: House) -> None:
        bars = await get(house, "symbols/AAPL/bars", limit=3)

        assert [b["opened_at"] for b in bars["items"]] == sorted(b["opened_at"] for b in bars["items"])
        assert isinstance(bars["items"][0]["close"], float)
        assert TIME.fullmatch(bars["items"][0]["closed_at"])

    async def test_shows_nothing_a_replay_has_not_shown(self, house: House) -> None:
        bars = await get(house, "symbols/AAPL/bars", limit=5_000, end="2999-01-01")

        assert len(bars["items"]) == 230
        assert datetime.fromisoformat(bars["items"][-1]["closed_at"]) == house.desk.status().now

    async def test_pages_bars_backwards_without_gap_or_repeat(self, house: House) -> None:
        found: list[str] = []
        cursor = None
        while True:
            params = {"limit": 60} | ({"cursor": cursor} if cursor else {})
            page = await get(house, "symbols/GOOG/bars", **params)
            found = [b["opened_at"] for b in page["items"]] + found
            cursor = page["next"]
            if cursor is None:
                break

        assert found == [b["opened_at"] for b in (await get(house, "symbols/GOOG/bars", limit=5_000))["items"]]

    async def test_takes_start_as_in_and_end_as_out(self, house: House) -> None:
        every = (await get(house, "symbols/AAPL/bars", limit=5_000))["items"]
        first, last = every[10]["opened_at"], every[20]["opened_at"]

        part = (await get(house, "symbols/AAPL/bars", start=first, end=last))["items"]
        by_date = (await get(house, "symbols/AAPL/bars", start=first[:10], end=last[:10]))["items"]

        assert part == every[10:20]
        assert by_date == every[10:20]

    async def test_gives_the_indicators_of_the_same_bars(self, house: House) -> None:
        bars = (await get(house, "symbols/AAPL/bars", limit=20))["items"]

        found = await get(house, "symbols/AAPL/indicators", limit=20)

        assert found["opened_at"] == [b["opened_at"] for b in bars]
        expected = features_series(house.desk.reads.frames["AAPL"].head(230)).tail(20)
        for name, column in found["columns"].items():
            assert column == expected[name].to_list()
        assert None not in found["columns"]["sma_50"]

    async def test_unknown_symbols_are_named(self, house: House) -> None:
        async with house.keyed() as client:
            for symbol in ("NOPE", "<script>", "a" * 100, "%2e%2e"):
                answer = await client.get(f"{API}/symbols/{symbol}/bars")
                assert_problem(answer, 404)
            assert_problem(await client.get(f"{API}/symbols/NOPE/indicators"), 404, "'NOPE'")

    async def test_unknown_intervals_are_answered_with_the_known_ones(self, house: House) -> None:
        async with house.keyed() as client:
            answer = await client.get(f"{API}/symbols/AAPL/bars?interval=2d")

        assert_problem(answer, 422, "'1m', '5m', '15m', '30m', '1h', '4h' or '1d'")
        assert answer.json()["errors"][0]["field"] == "query.interval"

    @pytest.mark.parametrize("time", ["yesterday", "2012-01-03T10:00:00", "2012-13-01", "0001-01-01T00:00:00+23:00"])
    async def test_bad_times_are_answered_with_a_good_one(self, house: House, time: str) -> None:
        async with house.keyed() as client:
            answer = await client.get(f"{API}/symbols/AAPL/bars", params={"start": time})

        assert_problem(answer, 422, "2013-03-01T21:00:00Z")
        assert answer.json()["errors"][0]["field"] == "query.start"

    @pytest.mark.parametrize("time", ["0001-01-01", "9999-12-31", "2005-01-03T14:30:00+00:00"])
    async def test_times_at_the_edge_of_the_calendar_do_no_harm(self, house: House, time: str) -> None:
        async with house.keyed() as client:
            for name in ("start", "end", "cursor"):
                assert (await client.get(f"{API}/symbols/AAPL/bars", params={name: time})).status_code == 200
            unescaped = await client.get(f"{API}/symbols/AAPL/bars?start={time}")
        assert unescaped.status_code == 200


class TestDecisions:
    async def test_a_decision_has_what_scripts_read(self, house: House) -> None:
        stored = decision_of(house.desk, Outcome.ORDERED)

        read = await get(house, f"decisions/{stored.id}")

        assert {"id", "symbol", "interval", "at", "strategy", "outcome", "view", "sources", "factors", "verdict",
                "sizing", "order_ids", "why_not", "features"} <= read.keys()  # fmt: skip
        assert read["features"] == dict(stored.features)
        assert [(s["name"], s["p_up"], s["weight"]) for s in read["sources"]] == [
            (s.source, s.p_up, s.weight) for s in stored.sources
        ]
        assert stored.verdict is not None
        assert [f["name"] for f in read["factors"]] == [f.name for f in stored.verdict.factors]
        assert read["order_ids"] == list(stored.order_ids)
        assert all(line["quantity"] is None or MONEY.fullmatch(line["quantity"]) for line in read["sizing"])
        assert MONEY.fullmatch(read["proposal"]["stop"])

    async def test_every_kind_of_decision_can_be_shown(self, house: House) -> None:
        kinds = {d.outcome: d.id for d in house.desk.book.decisions.values()}

        for outcome, decision_id in kinds.items():
            assert (await get(house, f"decisions/{decision_id}"))["outcome"] == outcome

    async def test_paging_shows_each_once(self, house: House) -> None:
        found: list[str] = []
        cursor: str | None = None
        while True:
            params: dict[str, Any] = {"limit": 200, "symbol": "AAPL"} | ({"cursor": cursor} if cursor else {})
            page = await get(house, "decisions", **params)
            found += [row["id"] for row in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break

        stored = [d.id for d in house.desk.book.decisions.values() if d.symbol == "AAPL"]
        assert found == stored[::-1]

    async def test_filters_by_outcome_and_time(self, house: House) -> None:
        one = decision_of(house.desk, Outcome.ORDERED)
        until = one.at + timedelta(seconds=1)

        page = await get(
            house, "decisions", outcome=["ordered", "refused"], since=one.at.isoformat(), until=until.isoformat()
        )

        assert one.id in [row["id"] for row in page["items"]]
        assert {row["outcome"] for row in page["items"]} <= {"ordered", "refused"}

    @pytest.mark.parametrize("path", ["decisions", "orders", "fills", "trades", "audit"])
    async def test_bad_limits_and_cursors_are_refused_everywhere(self, house: House, path: str) -> None:
        async with house.keyed() as client:
            for params in ({"limit": 0}, {"limit": 201}, {"limit": "x"}, {"cursor": "nonsense"}):
                answer = await client.get(f"{API}/{path}", params=params)
                assert_problem(answer, 422)
                assert answer.json()["errors"][0]["field"] == f"query.{next(iter(params))}"

    async def test_replay_says_what_differs(self, fresh_house: House) -> None:
        fresh_house.desk.differences = (
            Difference(field="features.rsi_14", stored=Decimal("1.50"), recomputed=object()),
        )
        decision_id = next(iter(fresh_house.desk.book.decisions))
        async with fresh_house.keyed(Role.VIEWER) as client:
            answer = await client.post(f"{API}/decisions/{decision_id}/replay")
            missing = await client.post(f"{API}/decisions/D-0/replay")

        assert answer.json()["identical"] is False
        assert answer.json()["differences"][0]["field"] == "features.rsi_14"
        assert answer.json()["differences"][0]["stored"] == "1.50"
        assert_problem(missing, 404, "D-0")


class TestBook:
    @pytest.mark.parametrize(
        ("path", "money", "times"),
        [
            ("orders", ["quantity", "filled_quantity"], ["created_at", "updated_at"]),
            ("fills", ["quantity", "price", "fee", "slippage"], ["at"]),
            ("trades", ["quantity", "entry_price", "exit_price", "fees", "pnl"], ["entry_time", "exit_time"]),
            ("positions", ["quantity", "average_price", "mark", "value", "unrealised"], ["opened_at"]),
            ("portfolio/equity", ["equity", "cash", "gross"], ["at"]),
        ],
    )
    async def test_money_is_text_and_times_are_utc(
        self, house: House, path: str, money: list[str], times: list[str]
    ) -> None:
        items = (await get(house, path))["items"]

        assert items
        for item in items:
            assert all(MONEY.fullmatch(item[name]) for name in money), item
            assert all(TIME.fullmatch(item[name]) for name in times), item

    async def test_an_order_has_its_history(self, house: House) -> None:
        order = next(iter(house.desk.book.run.orders.values()))

        read = await get(house, f"orders/{order.client_order_id}")

        assert read["id"] == read["client_order_id"] == order.client_order_id
        assert read["events"][0]["sequence"] == 1

    async def test_closing_asks_the_desk_for_the_exact_quantity(self, fresh_house: House) -> None:
        symbol = next(iter(fresh_house.desk.state.portfolio.positions))

        answer = await ask(fresh_house, "POST", f"positions/{symbol}/close", json={"quantity": 1})

        assert answer.json()["done"] is True
        assert fresh_house.desk.asked[-1].quantity == Decimal(1)  # type: ignore[union-attr]
        assert fresh_house.desk.asked[-1].by.startswith("key:trader")  # type: ignore[union-attr]

    async def test_a_refusal_of_the_desk_is_a_409_in_its_words(self, house: House) -> None:
        assert_problem(await ask(house, "POST", "resume", json={"reason": "why not"}), 409, "Nothing is halted.")

    async def test_what_is_not_there_is_named(self, house: House) -> None:
        assert_problem(await ask(house, "POST", "positions/NOPE/close"), 404, "'NOPE' is not held")
        assert_problem(await ask(house, "PATCH", "positions/NOPE", "k2", json={"stop": "1"}), 404, "'NOPE' is not held")
        assert_problem(await ask(house, "DELETE", "orders/nope"), 404, "'nope'")
        assert_problem(await ask(house, "GET", "positions/NOPE"), 404, "'NOPE'")

    async def test_moving_a_stop_asks_for_exactly_it(self, fresh_house: House) -> None:
        symbol, position = next(iter(fresh_house.desk.state.portfolio.positions.items()))
        assert position.stop is not None
        mark = fresh_house.desk.state.portfolio.mark(position)
        tighter = f"{(position.stop + mark) / 2:.4f}"
        body = f'{{"stop": {tighter}}}'

        await ask(fresh_house, "PATCH", f"positions/{symbol}", content=body)

        assert str(fresh_house.desk.asked[-1].stop) == tighter  # type: ignore[union-attr]

    async def test_trades_as_a_file_can_be_read_by_machines_and_opened_safely(self, fresh_house: House) -> None:
        run = fresh_house.desk.book.run
        run.trades[0] = replace(run.trades[0], exit_reason="=cmd|' /C calc'!A0")
        async with fresh_house.keyed() as client:
            answer = await client.get(f"{API}/trades.csv")

        lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"))))
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert lines[0]["exit_reason"] == "'=cmd|' /C calc'!A0"
        assert [Decimal(line["pnl"]) for line in lines] == [t.pnl for t in run.trades]
        assert TIME.fullmatch(lines[0]["entry_time"])


class TestPortfolio:
    async def test_adds_up(self, house: House) -> None:
        portfolio = await get(house, "portfolio")
        exposure = await get(house, "portfolio/exposure")

        assert Decimal(portfolio["cash"]) + Decimal(portfolio["value"]) == Decimal(portfolio["equity"])
        assert sum(abs(Decimal(s["value"])) for s in exposure["by_symbol"]) == Decimal(portfolio["gross"])

    async def test_performance_is_that_of_the_curve(self, house: House) -> None:
        performance = await get(house, "portfolio/performance")

        points = house.desk.book.run.points
        assert performance["account"]["points"] == len(points)
        assert performance["account"]["return_frac"] == pytest.approx(float(points[-1].equity / points[0].equity) - 1)
        assert performance["trades"]["count"] == len(house.desk.book.run.trades)
        assert performance["thinned"] is False


class TestPeople:
    async def test_a_key_is_shown_once_and_works(self, house: House) -> None:
        async with house.keyed() as client:
            made = (await client.post(f"{API}/apikeys", json={"name": "bot", "role": "viewer"})).json()
            listed = (await client.get(f"{API}/apikeys")).text
            headers = {"Authorization": f"Bearer {made['key']}"}
            works = await client.get(f"{API}/status", headers=headers)
            gone = await client.delete(f"{API}/apikeys/{made['id']}")
            after = await client.get(f"{API}/status", headers=headers)

        assert made["key"].startswith("e2r_")
        assert made["key"] not in listed
        assert [works.status_code, gone.status_code, after.status_code] == [200, 204, 401]

    async def test_a_user_is_added_once_and_disabled(self, house: House) -> None:
        new = {"name": "bob", "role": "trader", "password": "correct horse battery"}
        async with house.keyed() as client:
            first = await client.post(f"{API}/users", json=new)
            second = await client.post(f"{API}/users", json=new)
            disabled = await client.delete(f"{API}/users/bob")
            missing = await client.delete(f"{API}/users/eve")

        assert first.status_code == 201
        assert "password" not in first.text
        assert_problem(second, 409, "'bob'")
        assert disabled.json()["disabled"] is True
        assert_problem(missing, 404, "'eve'")

    async def test_a_bad_password_is_not_repeated_in_the_answer(self, house: House) -> None:
        async with house.keyed() as client:
            answer = await client.post(f"{API}/users", json={"name": "bob", "role": "trader", "password": "hunter2"})

        assert_problem(answer, 422, "password")
        assert "hunter2" not in answer.text

    async def test_a_key_that_would_be_over_is_refused(self, house: House) -> None:
        over = (house.clock.at - timedelta(days=1)).astimezone(UTC).isoformat()
        async with house.keyed() as client:
            body = {"name": "bot", "role": "viewer", "expires_at": over}
            assert_problem(await client.post(f"{API}/apikeys", json=body), 422, "which is over")


class TestText:
    async def test_what_looks_like_markup_stays_text_in_json(self, house: House) -> None:
        async with house.keyed() as client:
            answer = await client.get(f"{API}/audit")

        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["items"][0]["actor"] == NASTY

    async def test_markup_in_a_path_comes_back_as_a_problem(self, house: House) -> None:
        async with house.keyed() as client:
            answer = await client.get(f"{API}/symbols/<script>alert(1)</script>/bars".replace("</", "<%2F"))
            other = await client.get("/<img src=x onerror=alert(1)>")

        assert_problem(answer, 404)
        assert_problem(other, 404)

    async def test_settings_are_given_as_they_are(self, house: House) -> None:
        assert (await get(house, "settings"))["settings"] == json.loads(json.dumps(house.desk.settings()))


class TestReserved:
    @pytest.mark.parametrize(
        "path", ["models", "training", "backtests", "reports", "jobs", "alerts", "symbols/AAPL/forecast"]
    )  # fmt: skip
    async def test_what_is_not_built_is_not_there(self, house: House, path: str) -> None:
        async with house.keyed() as client:
            assert_problem(await client.get(f"{API}/{path}"), 404, "There is nothing at")

    async def test_other_methods_are_refused(self, house: House) -> None:
        async with house.keyed() as client:
            assert_problem(await client.put(f"{API}/status"), 405, "PUT")


class TestDocs:
    async def test_the_page_lists_every_operation_without_script(self, house: House) -> None:
        async with house.keyed() as client:
            page = (await client.get("/api/docs")).text
            openapi = (await client.get("/api/openapi.json")).json()

        assert "<script" not in page
        assert "style=" not in page
        for path, operations in openapi["paths"].items():
            for method in operations:
                assert f"<b>{method.upper()}</b> <code>{path}</code>" in page

    async def test_metrics_can_be_read_by_prometheus(self, house: House) -> None:
        async with house.keyed(Role.VIEWER) as client:
            text = (await client.get("/metrics")).text

        numbers = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert float(numbers["evil2root_equity"]) == pytest.approx(float(house.desk.state.portfolio.equity))
        assert float(numbers["evil2root_decisions_total"]) == house.desk.state.carry.decisions
        assert float(numbers["evil2root_resident_memory_bytes"]) > 1e7
