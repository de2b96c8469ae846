"""Profiles: the one place where a policy is put together."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from evil2root.domain.book.protection import Protect
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.core.money import Price
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence, Holding
from evil2root.domain.decision.intent import Enter, Exit, Stay, StayKind
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.decision.strategies.fusion import Fusion
from evil2root.domain.execution.costs import Costs
from evil2root.domain.execution.exits import TrailKind
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import STRATEGIES, data_options, make_policy, options_for
from evil2root.domain.market.bars import Bar
from evil2root.domain.risk.exposure import Exposure
from evil2root.domain.risk.limits import ALWAYS_ON, BOUNDS, WIDE
from evil2root.domain.risk.methods import (
    CapitalShare,
    CashFraction,
    FixedUnits,
    Kelly,
    RiskAtStop,
    RiskParity,
    Sizing,
    VolatilityTarget,
)
from evil2root.domain.risk.sizing import size
from evil2root.domain.signals.panel import SOURCES
from evil2root.domain.signals.values import Signal, View

SYMBOLS = ("AAPL", "GOOG", "MSFT")


def policy(
    strategy: str,
    given: dict[str, str] | None = None,
    symbols: tuple[str, ...] = SYMBOLS,
    interval: Interval = Interval.D1,
) -> Policy:
    instruments = {symbol: instrument_for(symbol) for symbol in symbols}
    return make_policy(
        strategy, given or {}, account="main", currency="USD", interval=interval, instruments=instruments
    )  # fmt: skip


class TestMakePolicy:
    def test_knows_the_four_public_strategies(self) -> None:
        assert STRATEGIES == ("fusion", "sma_cross", "buy_hold", "metronome")
        assert [policy(name).strategy.name for name in STRATEGIES] == list(STRATEGIES)

    def test_gives_fusion_the_house_rules(self) -> None:
        made = policy("fusion")

        assert made.sizing == RiskAtStop(risk_per_trade_frac=Decimal("0.02"))
        assert made.challenge is not None
        assert made.challenge.threshold == 0.65
        assert (made.exits.stop_atr, made.exits.target_atr) == (Decimal(2), Decimal(4))
        assert made.exits.trail is TrailKind.PERCENT
        assert (made.limits.per_symbol_frac, made.limits.daily_loss_frac) == (Decimal("0.2"), Decimal("0.05"))
        assert made.costs.slippage_bps == 5
        assert not made.size_at_open

    def test_gives_the_reference_strategy_nothing_but_its_fee(self) -> None:
        made = policy("sma_cross")

        assert made.sizing == CashFraction(cash_frac=Decimal("0.95"))
        assert made.challenge is None
        assert made.costs == Costs(slippage_bps=Decimal(0), volume_share_frac=None)
        assert (made.exits.stop_frac, made.exits.target_frac, made.exits.stop_atr, made.exits.trail) == (
            None, None, None, TrailKind.NONE
        )  # fmt: skip
        assert made.limits.daily_loss_frac is None
        assert made.size_at_open
        assert {instrument.tick for instrument in made.instruments.values()} == {None}

    def test_switches_two_rules_for_a_reference_run(self) -> None:
        made = policy("sma_cross", {"reference": "R", "stop": "0.05", "target": "0.10", "units": "10"})

        assert made.exits.live_from_next_bar
        assert not made.exits.target_gap_first
        assert (made.exits.stop_frac, made.exits.target_frac) == (Decimal("0.05"), Decimal("0.10"))
        assert made.sizing == FixedUnits(units=Decimal(10))

    def test_shares_the_capital_equally_when_buying_and_holding(self) -> None:
        made = policy("buy_hold")

        assert made.sizing == CapitalShare(capital_frac=1 / Decimal(3))
        assert made.instruments["AAPL"].tick == Decimal("0.0001")

    def test_gives_a_latecomer_the_same_part_of_the_capital_as_the_first(self) -> None:
        made = policy("buy_hold")
        aapl = made.instruments["AAPL"]
        proposal = Proposal(
            decision_id="D-1", symbol="AAPL", side=Side.BUY, entry=aapl.price(10.0), stop=None, target=None,
            protect=Protect(stop=None, target=None, relative=False), made_at=OPENED, good_until=OPENED,
        )  # fmt: skip
        account = Exposure(
            equity=Decimal(90_000), cash=Decimal(30_000), cash_in_flight=Decimal(10_000), gross=Decimal(60_000),
            symbol=Decimal(0), positions=2, day_loss_frac=Decimal(0), day_volume=Decimal(1), fee_frac=Decimal("0.001"),
            slippage_frac=Decimal("0.0005"), asked_at_open=True, capital=Decimal(30_000),
        )  # fmt: skip

        sized = size(
            proposal, price=Decimal(10), factor=Decimal(1), exposure=account, method=made.sizing, limits=made.limits,
            instrument=aapl,
        )  # fmt: skip

        # A third of 30,000 at 10 a share, 0.15 % of costs included; neither the gains nor the cash left matter.
        assert sized.quantity == 998

    def test_lets_the_metronome_beat_undisturbed(self) -> None:
        made = policy("metronome")

        assert made.sizing == FixedUnits(units=Decimal(10))
        assert made.exits.protect(None) is not None
        assert made.limits.daily_loss_frac is None

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_every_option_takes_its_own_default_and_changes_nothing(self, strategy: str) -> None:
        plain = policy(strategy)

        for option in options_for(strategy):
            assert policy(strategy, {option.name: option.default}).digest == plain.digest

    @pytest.mark.parametrize(
        ("strategy", "options", "said"),
        [
            (
                "sma_cross",
                {"fasst": "5"},
                "sma_cross has no option 'fasst'. Did you mean fast? It has fast, slow, stop",
            ),
            ("metronome", {"stop": "0.1"}, "metronome has no option 'stop'"),
            ("sma_cross", {"fast": "5.5"}, "fast=5.5: it must be a whole number from 1 to 10000, for example fast=10."),
            ("sma_cross", {"stop": "NaN"}, "stop=NaN: it must be a number above 0 and at most 1 or none"),
            ("sma_cross", {"fee": "1e999"}, "fee=1e999: it must be a number from 0 to 1"),
            ("sma_cross", {"fast": "50"}, "fast is 50 and slow 30"),
            ("sma_cross", {"units": "10", "pct": "0.5"}, "units=10 and pct=0.5 contradict each other"),
            ("sma_cross", {"prices": "cooked"}, "prices=cooked: it must be one of adjusted, raw"),
            ("fusion", {"short": "maybe"}, "short=maybe: it must be one of true, false"),
            ("fusion", {"breakout_weight": "0.9"}, "The weights sum to 1.75 instead of 1"),
            ("fusion", {"threshold": "7" * 500}, "…: it must be a number from 0 to 1"),
            ("magic", {}, "'magic' is no strategy; known are fusion, sma_cross, buy_hold, metronome."),
        ],
    )
    def test_refuses_what_it_does_not_know_by_name(self, strategy: str, options: dict[str, str], said: str) -> None:
        with pytest.raises(ValueError) as caught:
            policy(strategy, options)

        assert said in str(caught.value)
        assert len(str(caught.value)) < 1_000

    def test_needs_a_symbol(self) -> None:
        with pytest.raises(ValueError, match="at least one symbol"):
            policy("fusion", symbols=())


class TestDigest:
    def test_is_the_same_for_the_same_rules_however_written(self) -> None:
        assert policy("fusion", {"risk_per_trade_frac": "0.020"}).digest == policy("fusion").digest

    def test_differs_by_strategy_option_symbols_and_interval(self) -> None:
        made = [
            policy("fusion"), policy("fusion", {"fee": "0.002"}), policy("fusion", symbols=("AAPL",)),
            policy("fusion", interval=Interval.H1), policy("metronome"), policy("fusion", {"entry_threshold": "0.3"}),
        ]  # fmt: skip

        assert len({one.digest for one in made}) == len(made)


def test_data_options_tell_raw_from_adjusted_prices() -> None:
    assert data_options("sma_cross", {}).adjusted
    assert not data_options("sma_cross", {"prices": "raw"}).adjusted


OPENED = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)
BAR = Bar(
    symbol="AAPL", interval=Interval.D1, opened_at=OPENED, closed_at=OPENED + timedelta(hours=6), open=10.0, high=11.0,
    low=9.0, close=10.0, volume=100.0,
)  # fmt: skip


def evidence(*, p_up: float | None, number: int = 300) -> Evidence:
    spoken = Signal(
        source="breakout", version="1", horizon=5, p_up=p_up, weight=1.0 if p_up else 0.0, contribution=0.0, reason=""
    )
    view = None if p_up is None else View(p_up=p_up, log_odds=0.0, agreeing=1, speaking=1)
    return Evidence(bar=BAR, number=number, window_from=OPENED, features={}, signals=(spoken,), view=view)


def holding(quantity: int) -> Holding:
    return Holding(quantity=Decimal(quantity), average_price=Price(Decimal(10)), opened_at=OPENED)


class TestFusion:
    def test_waits_until_every_source_can_speak(self) -> None:
        intent = Fusion().intend(evidence(p_up=0.7, number=57), None)

        assert intent == Stay(kind=StayKind.WARMING_UP, why="Bar 57 of 300 needed.")
        assert isinstance(Fusion().intend(evidence(p_up=0.7, number=300), None), Enter)

    def test_says_when_no_source_has_an_opinion(self) -> None:
        intent = Fusion().intend(evidence(p_up=None), None)

        assert isinstance(intent, Stay)
        assert intent.kind is StayKind.NO_OPINION

    def test_stays_out_of_a_weak_view_and_names_the_numbers(self) -> None:
        intent = Fusion().intend(evidence(p_up=0.55), None)

        assert isinstance(intent, Stay)
        assert intent.kind is StayKind.BELOW_THRESHOLD
        assert "score +0.100" in intent.why
        assert "0.2 is asked" in intent.why

    @pytest.mark.parametrize(("p_up", "side"), [(0.65, Side.BUY), (0.35, Side.SELL)])
    def test_enters_on_the_side_of_a_strong_view_and_names_who_spoke(self, p_up: float, side: Side) -> None:
        intent = Fusion().intend(evidence(p_up=p_up), None)

        assert isinstance(intent, Enter)
        assert intent.side is side
        assert f"breakout {p_up:.0%}" in intent.why

    @pytest.mark.parametrize(("held", "with_it", "against"), [(5, 0.65, 0.35), (-5, 0.35, 0.65)])
    def test_leaves_only_on_a_strong_opposite_view(self, held: int, with_it: float, against: float) -> None:
        same, weak, turned = (Fusion().intend(evidence(p_up=p), holding(held)) for p in (with_it, 0.5, against))

        assert isinstance(same, Stay)
        assert same.kind is StayKind.HOLDING
        assert isinstance(weak, Stay)
        assert weak.kind is StayKind.BELOW_THRESHOLD
        assert isinstance(turned, Exit)

    def test_gives_one_row_and_one_opinion_a_bar(self) -> None:
        count = 230
        days = [OPENED + timedelta(days=n) for n in range(count)]
        closes = [100.0 + n % 7 + n / 10 for n in range(count)]
        bars = pl.DataFrame({
            "opened_at": days, "closed_at": [day + timedelta(hours=6) for day in days], "open": closes,
            "high": [c + 1 for c in closes], "low": [c - 1 for c in closes], "close": closes, "volume": [1e6] * count,
        })  # fmt: skip

        features = Fusion().features(bars, interval=Interval.D1, session=NEW_YORK)
        opinions = Fusion().opinions(features)

        assert features.height == len(opinions) == count
        assert set(features.drop("opened_at").dtypes) == {pl.Float64()}
        assert [signal.source for signal in opinions[-1][0]] == [source.name for source in SOURCES]

    def test_refuses_a_threshold_nothing_could_reach(self) -> None:
        with pytest.raises(ValueError, match="entry_threshold is 1"):
            Fusion(entry_threshold=1.0)


class TestLimitsAndSizes:
    @pytest.mark.parametrize(
        ("sizing", "made"),
        [
            ("risk", RiskAtStop()),
            ("volatility", VolatilityTarget(volatility_frac=Decimal("0.05"))),
            ("kelly", Kelly(kelly_frac=Decimal("0.25"), risk_per_trade_frac=Decimal("0.02"))),
            ("parity", RiskParity()),
        ],
    )
    def test_offer_four_ways_to_size(self, sizing: str, made: Sizing) -> None:
        assert policy("fusion", {"sizing": sizing}).sizing == made

    def test_are_each_an_option_of_the_pipeline_with_its_bounds(self) -> None:
        options = {option.name: option for option in options_for("fusion")}

        for name, least, most in BOUNDS:
            assert f"from {least} to {most}" in options[name].limit
            off = {name: "none"}
            if name in ALWAYS_ON:
                with pytest.raises(ValueError, match=f"{name}=none: it must be"):
                    policy("fusion", off)
            else:
                assert getattr(policy("fusion", off).limits, name) is None

    def test_stay_wide_for_yardsticks_and_drills(self) -> None:
        assert {policy(name).limits for name in ("sma_cross", "buy_hold", "metronome")} == {WIDE}
