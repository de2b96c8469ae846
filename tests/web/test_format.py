from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.web import format as f

NOW = datetime(2026, 11, 20, 20, 42, 8, tzinfo=UTC)


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "plus", "text"),
        [
            ("104382.17", False, "$104,382.17"),
            ("-1752", False, "\N{MINUS SIGN}$1,752.00"),
            ("612.4", True, "+$612.40"),
            ("0.004", True, "$0.00"),
            ("-0.004", True, "$0.00"),
        ],
    )
    def test_has_cents_a_real_minus_and_no_sign_on_zero(self, amount: str, plus: bool, text: str) -> None:
        assert f.money(Decimal(amount), plus=plus) == text

    def test_names_a_currency_that_has_no_sign(self) -> None:
        assert f.money(Decimal("12.5"), currency="CHF") == "12.50 CHF"

    @given(st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=6))
    def test_reads_back_as_the_amount_rounded_to_cents(self, amount: Decimal) -> None:
        text = f.money(amount).replace("$", "").replace(",", "").replace(f.MINUS, "-")

        assert Decimal(text) == round(amount, 2)


class TestRates:
    def test_takes_fractions_and_says_percent_points_and_basis_points(self) -> None:
        assert f.pct(Decimal("0.0059"), plus=True) == "+0.59%"
        assert f.pct(-0.0313) == "\N{MINUS SIGN}3.13%"
        assert f.pp(Decimal("0.0181")) == "+1.81 pp"
        assert f.bps(Decimal("0.00017")) == "+1.7 bps"
        assert f.multiple(Decimal("0.4321")) == "+0.43R"


class TestPricesAndQuantities:
    @pytest.mark.parametrize(
        ("value", "tick", "text"),
        [
            ("181.4", "0.01", "181.40"),
            ("1.3", "0.00001", "1.30000"),
            ("0.5", None, "0.50"),
            ("56.697512", None, "56.70"),
            ("1.1234567", None, "1.1235"),
            ("0.1234567", None, "0.123457"),
        ],
    )
    def test_writes_a_price_by_its_tick(self, value: str, tick: str | None, text: str) -> None:
        assert f.price(Decimal(value), tick=None if tick is None else Decimal(tick)) == text

    @pytest.mark.parametrize(
        ("value", "text"), [("45", "45"), ("0.00012000", "0.00012"), ("1000", "1,000"), ("100", "100"), ("0", "0")]
    )
    def test_cuts_trailing_zeros_of_quantities_only_behind_the_point(self, value: str, text: str) -> None:
        assert f.quantity(Decimal(value)) == text

    def test_shortens_big_counts(self) -> None:
        assert [f.big(n) for n in (182_400_000, 4_810, 12_000, 7, 1_500_000_000)] == [
            "182 M",
            "4.81 k",
            "12 k",
            "7",
            "1.5 B",
        ]

    def test_counts_in_words(self) -> None:
        assert [f.count(n, "order") for n in (0, 1, 3)] == ["no orders", "1 order", "3 orders"]
        assert f.count(2, "entry", "entries") == "2 entries"


class TestTimes:
    @pytest.mark.parametrize(
        ("age", "text"),
        [
            (timedelta(seconds=4), "4 s ago"),
            (timedelta(minutes=59), "59 min ago"),
            (timedelta(hours=5), "10:42"),
            (timedelta(days=3), "17 Nov 15:42"),
            (timedelta(days=400), "16 Oct 2025 16:42"),
        ],
    )
    def test_is_relative_then_a_time_then_a_date_then_a_year(self, age: timedelta, text: str) -> None:
        assert f.moment(NOW - age, now=NOW).text == text

    def test_carries_utc_for_machines_and_both_zones_for_the_curious(self) -> None:
        said = f.moment(NOW, now=NOW)

        assert said.iso == "2026-11-20T20:42:08Z"
        assert said.title == "20 Nov 2026 15:42:08 New York, 20:42:08 UTC"

    def test_shows_order_times_to_the_millisecond(self) -> None:
        assert f.to_the_ms(datetime(2026, 11, 17, 15, 31, 7, 412_900, tzinfo=UTC)).text == "10:31:07.412"

    def test_never_calls_the_future_ago(self) -> None:
        assert f.moment(NOW + timedelta(minutes=5), now=NOW).text == "15:47"

    def test_says_lengths_in_their_own_unit(self) -> None:
        lengths = (
            timedelta(seconds=8.2),
            timedelta(seconds=90),
            timedelta(hours=1),
            timedelta(hours=30),
            timedelta(days=9),
        )

        assert [f.lasted(x) for x in lengths] == ["8.2 s", "90 s", "60 min", "30 h", "9 d"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("score -0.073, MACD (-1.2)", f"score {f.MINUS}0.073, MACD ({f.MINUS}1.2)"),
        (
            "2001-03-01 to 2013-03-01, a 20-bar channel, D-96, 1e-06",
            "2001-03-01 to 2013-03-01, a 20-bar channel, D-96, 1e-06",
        ),
    ],
)
def test_a_minus_in_words_is_a_true_one_and_a_hyphen_stays(said: str, shown: str) -> None:
    assert f.true_minus(said) == shown


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_tone_is_the_sign_of_what_is_shown(value: float, digits: int) -> None:
    text = f.num(value, digits, plus=True)

    expected = "up" if text.startswith("+") else "down" if text.startswith(f.MINUS) else "flat"
    assert f.tone(value, digits) == expected
