"""Statistics behind the limits: shrunk covariance against a public library's figures, tails, company, recent bars."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.domain.core.side import Side
from evil2root.domain.risk.company import company_of, parity_share, volatility
from evil2root.domain.risk.covariance import shrinkage, shrunk_correlations, shrunk_covariance
from evil2root.domain.risk.exposure import Company
from evil2root.domain.risk.recent import Floats, Recent
from evil2root.domain.risk.tails import tail


def returns(bars: int, symbols: int, seed: int) -> Floats:
    """A common factor and noise of unlike size, as the figures below were made from."""
    chance = np.random.default_rng(seed)
    common = chance.normal(0, 0.01, (bars, 1))
    noise = chance.normal(0.001, 0.01, (bars, symbols))
    made: Floats = common * np.linspace(0.2, 1.8, symbols) + noise * np.linspace(0.5, 3.0, symbols)
    return made


FIGURES = [
    (60, 5, 1, 0.16629245797896164, 8.1022084597558e-05, 3.7737414777538726e-05, 0.0019027429334812314),
    (60, 200, 2, 0.2098587915424622, 0.00011565541496012154, 2.403954832922945e-05, 0.09450098490193604),
    (30, 3, 3, 0.20391271343138082, 0.00015594680014985025, 9.719746462306968e-06, 0.0020066053354240074),
    (25, 1, 4, 0.0, 2.989382736615896e-05, 2.989382736615896e-05, 2.989382736615896e-05),
]
"""scikit-learn 1.9.1, `LedoitWolf().fit(...)`: shrinkage, first and last covariance of the first row, trace."""


class TestShrinkage:
    @pytest.mark.parametrize(("bars", "symbols", "seed", "share", "first", "last", "trace"), FIGURES)
    def test_agrees_with_a_public_library(  # noqa: PLR0913 - the figures
        self, bars: int, symbols: int, seed: int, share: float, first: float, last: float, trace: float
    ) -> None:
        values = returns(bars, symbols, seed)

        table = shrunk_covariance(values)

        assert shrinkage(values) == pytest.approx(share, rel=1e-9, abs=1e-12)
        assert table[0, 0] == pytest.approx(first, rel=1e-9)
        assert table[0, -1] == pytest.approx(last, rel=1e-9)
        assert np.trace(table) == pytest.approx(trace, rel=1e-9)

    @given(st.integers(0, 500), st.integers(2, 12), st.integers(1, 9))
    def test_stays_within_nothing_and_all(self, seed: int, bars: int, symbols: int) -> None:
        assert 0 <= shrinkage(returns(bars, symbols, seed)) <= 1

    def test_has_nothing_to_do_where_nothing_moves(self) -> None:
        assert shrinkage(np.zeros((60, 4))) == 0


class TestShrunkCorrelations:
    def test_are_the_sample_s_times_what_is_kept(self) -> None:
        values = returns(60, 5, 1)
        sample: Floats = np.asarray(np.corrcoef(values, rowvar=False))
        unit = (values - values.mean(axis=0)) / values.std(axis=0)

        found = shrunk_correlations(values)

        assert found == pytest.approx((1 - shrinkage(unit)) * sample[-1, :-1], rel=1e-9)

    def test_do_not_change_with_the_size_of_a_symbol_s_moves(self) -> None:
        values = returns(60, 5, 1)
        wild = values * np.array([1e-3, 1.0, 1e3, 1.0, 1.0])

        assert shrunk_correlations(wild) == pytest.approx(shrunk_correlations(values), rel=1e-9)

    def test_are_nothing_for_what_never_moved(self) -> None:
        values = returns(60, 3, 1)
        values[:, 0] = 0.0

        assert shrunk_correlations(values)[0] == 0


class TestTail:
    def test_counts_the_worst_three_of_sixty(self) -> None:
        profits = np.array([-100.0, 5.0, -100.0, *[7.0] * 56, -60.0])

        assert tail(profits) == pytest.approx((60.0, 260 / 3))

    def test_is_nothing_when_every_bar_earned(self) -> None:
        assert tail(np.array([1.0, 2.0])) == (0.0, 0.0)

    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
    def test_falls_short_by_at_least_what_is_at_risk(self, profits: list[float]) -> None:
        at_risk, shortfall = tail(np.array(profits))

        assert 0 <= at_risk <= shortfall + 1e-6


def recent(values: Floats, **changes: Any) -> Recent:
    bars, count = values.shape
    filled = np.full((bars, count), 100.0)
    made = {
        "symbols": tuple(f"S{n}" for n in range(count)), "periods": np.arange(bars), "returns": values.copy(),
        "closes": filled, "volumes": filled.copy(),
    }  # fmt: skip
    return Recent(**{**made, **changes})


class TestRecent:
    def test_refuses_tables_of_other_shapes(self) -> None:
        with pytest.raises(ValueError, match=r"closes has the shape \(60, 2\); \(60, 3\) of float64"):
            recent(returns(60, 3, 1), closes=np.zeros((60, 2)))

    def test_averages_the_last_twenty_bars_a_symbol_has(self) -> None:
        volumes = np.full((60, 2), np.nan)
        volumes[::2, 0] = np.arange(30)
        volumes[59, 1] = 7.0
        told = recent(returns(60, 2, 1), volumes=volumes)

        assert told.average_volume("S0") == pytest.approx(np.arange(10, 30).mean())
        assert told.average_volume("S1") == 7
        assert told.average_volume("other") is None

    def test_knows_the_close_before_the_last_one(self) -> None:
        closes = np.full((60, 2), np.nan)
        closes[[10, 40, 50], 0] = [1.0, 2.0, 3.0]
        closes[50, 1] = 4.0
        told = recent(returns(60, 2, 1), closes=closes)

        assert told.previous_close("S0") == 2
        assert told.previous_close("S1") is None
        assert told.previous_close("other") is None


class TestCompanyOf:
    def company(self, values: Floats, held: dict[str, int], *, side: Side = Side.BUY, symbol: str = "S0") -> Company:
        signed = {name: Decimal(value) for name, value in held.items()}
        gross = {name: abs(value) for name, value in signed.items()}
        found = company_of(recent(values), symbol=symbol, side=side, signed=signed, gross=gross)
        assert found is not None
        return found

    def alike(self) -> Floats:
        """Three symbols: the second moves as the first does, the third against it."""
        values = returns(60, 3, 5)
        values[:, 1] = values[:, 0] + 0.05 * values[:, 1]
        values[:, 2] = -values[:, 0]
        return values

    def test_finds_the_same_bet_and_the_hedge(self) -> None:
        both = {"S1": 1_000, "S2": 1_000}

        long, short = self.company(self.alike(), {"S1": 1_000}), self.company(self.alike(), both, side=Side.SELL)

        assert long.correlation > Decimal("0.9")
        assert (long.cluster, long.cluster_used) == (("S1",), Decimal(1_000))
        assert abs(short.correlation) < Decimal("0.1")
        assert short.cluster == ("S2",)

    def test_signs_correlation_by_the_side_that_is_held(self) -> None:
        found = self.company(self.alike(), {"S1": -1_000, "S2": -500})

        assert found.correlation < Decimal("-0.2")
        assert (found.cluster, found.cluster_used) == (("S2",), Decimal(500))

    def test_weighs_by_value(self) -> None:
        much, little = (self.company(self.alike(), {"S1": value, "S2": 1_000}) for value in (9_000, 100))

        assert much.correlation > Decimal("0.7")
        assert little.correlation < Decimal("-0.7")

    def test_tells_what_bars_would_have_earned(self) -> None:
        values = self.alike()

        found = self.company(values, {"S1": 1_000, "S2": -500}, side=Side.SELL)

        simple = np.expm1(values)
        assert found.held == pytest.approx(1_000 * simple[:, 1] - 500 * simple[:, 2], abs=1e-4)
        assert found.unit == pytest.approx(-simple[:, 0], abs=1e-9)

    def test_counts_what_is_held_of_the_symbol_itself_but_not_as_company(self) -> None:
        found = self.company(self.alike(), {"S0": 700})

        assert (found.correlation, found.cluster, found.cluster_used) == (Decimal(0), (), Decimal(700))

    def test_leaves_out_what_is_not_watched_and_is_alone_with_nothing_held(self) -> None:
        assert self.company(self.alike(), {"OTHER": 5}).correlation == 0
        assert self.company(self.alike(), {}).held == (0.0,) * 60

    @pytest.mark.parametrize("symbol", ["S0", "other"])
    def test_is_not_known_for_a_young_symbol(self, symbol: str) -> None:
        values = self.alike()
        values[:41, 0] = np.nan

        found = company_of(recent(values), symbol=symbol, side=Side.BUY, signed={}, gross={})

        assert found is None

    def test_drops_rows_before_the_youngest_one_began(self) -> None:
        values = self.alike()
        values[:40, 1] = np.nan

        assert len(self.company(values, {"S1": 1}).held) == 20


class TestVolatility:
    def test_is_that_of_a_year(self) -> None:
        values = returns(60, 2, 1)

        found = volatility(recent(values), "S1", bars_a_year=252.0)

        assert float(found or 0) == pytest.approx(values[:, 1].std(ddof=1) * 252**0.5, abs=1e-9)

    def test_needs_twenty_bars_of_a_watched_symbol(self) -> None:
        assert volatility(recent(returns(19, 2, 1)), "S1", bars_a_year=252.0) is None
        assert volatility(recent(returns(60, 2, 1)), "other", bars_a_year=252.0) is None


class TestParityShare:
    def test_is_the_inverse_of_volatility_over_the_watchlist(self) -> None:
        values = returns(60, 3, 1)
        inverse = 1 / values.std(axis=0, ddof=1)

        shares = [parity_share(recent(values), f"S{n}") for n in range(3)]

        assert [float(share or 0) for share in shares] == pytest.approx((inverse / inverse.sum()).tolist(), abs=1e-9)

    def test_leaves_out_the_young_and_the_still(self) -> None:
        values = returns(60, 4, 1)
        values[:50, 1] = np.nan
        values[:, 2] = 0.0
        inverse = 1 / values[:, [0, 3]].std(axis=0, ddof=1)

        told = recent(values)

        assert float(parity_share(told, "S3") or 0) == pytest.approx(inverse[1] / inverse.sum(), abs=1e-9)
        assert [parity_share(told, name) for name in ("S1", "S2", "other")] == [None, None, None]
