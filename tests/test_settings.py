"""Settings: what is read, what is refused and in which words."""

from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evil2root.domain.kernel.profiles import options_for
from evil2root.domain.market.around.family import US_NEIGHBOURS, Role
from evil2root.main.announcing import live_words
from evil2root.main.trading import policy_of
from evil2root.settings import Settings, SettingsProblem, describe, load, tree
from evil2root.settings.reading import keys
from evil2root.settings.tree import OPTION_BLOCKS, OPTION_NAMES

NOWHERE = Path(__file__).parent / "no such folder"
GOOD_KEY = "correct-horse-battery-staple-0123456789"


def read(folder: Path = NOWHERE, /, **values: str) -> Settings:
    return load(environment={f"EVIL2ROOT_{name}": value for name, value in values.items()}, folder=folder)


def refusal(folder: Path = NOWHERE, /, **values: str) -> str:
    with pytest.raises(SettingsProblem) as caught:
        read(folder, **values)
    return str(caught.value)


class TestReading:
    def test_gives_the_documented_defaults_when_nothing_is_set(self) -> None:
        settings = read()

        assert (settings.broker, settings.strategy, settings.mode, settings.interval) == (
            "paper",
            "fusion",
            "paper",
            "1d",
        )
        assert settings.market_data == ("yfinance",)
        assert settings.risk.risk_per_trade_frac == Decimal("0.02")
        assert settings.validation.threshold == 0.65
        assert settings.execution.quarantine_s == 60

    def test_takes_the_environment_before_dotenv_before_toml(self, tmp_path: Path) -> None:
        (tmp_path / "evil2root.toml").write_text(
            'strategy = "buy_hold"\n[replay]\nspeed = 3\nloop = true\n[http]\nport = 9\n'
        )
        (tmp_path / ".env").write_text("EVIL2ROOT_STRATEGY=metronome\nEVIL2ROOT_REPLAY__SPEED=2\nOTHER=1\n")

        settings = read(tmp_path, STRATEGY="sma_cross")

        assert (settings.strategy, settings.replay.speed, settings.replay.loop, settings.http.port) == (
            "sma_cross",
            2,
            True,
            9,
        )
        origins = {key.removeprefix("EVIL2ROOT_"): origin for key, _, origin in describe(settings)}
        assert [origins[key] for key in ("STRATEGY", "REPLAY__SPEED", "HTTP__PORT", "MODE")] == [
            "environment", ".env", "evil2root.toml", "default"
        ]  # fmt: skip

    def test_lets_the_command_line_win(self) -> None:
        settings = load(environment={"EVIL2ROOT_REPLAY__SPEED": "2"}, folder=NOWHERE, overrides={"REPLAY__SPEED": "20"})

        assert settings.replay.speed == 20
        assert settings.origins == {"REPLAY__SPEED": "command line"}

    def test_counts_an_empty_value_as_not_set(self) -> None:
        assert read(DATABASE_URL="", REPLAY__SPEED="").origins == {}

    def test_can_not_be_changed_afterwards(self) -> None:
        settings = read()

        with pytest.raises(ValidationError):
            setattr(settings, "mode", "live")  # noqa: B010 - the type checker knows it is frozen
        with pytest.raises(ValidationError):
            setattr(settings.risk, "positions_max", 1000)  # noqa: B010

    @pytest.mark.parametrize("name", ["SECRET_KEY", "ALPACA__API_KEY", "DATABASE_URL"])
    def test_reads_a_secret_from_a_file_and_never_shows_it(self, name: str, tmp_path: Path) -> None:
        text = "postgresql+asyncpg://me:hidden-hidden@db/x" if name == "DATABASE_URL" else GOOD_KEY
        file = tmp_path / "secret"
        file.write_text(text + "\n")

        settings = read(**{f"{name}_FILE": str(file)})

        found = settings
        for part in name.lower().split("__"):
            found = getattr(found, part)
        assert found.get_secret_value() == text  # type: ignore[attr-defined]
        shown = f"{settings!r} {describe(settings)}"
        assert text not in shown
        assert "hidden-hidden" not in shown
        assert (f"EVIL2ROOT_{name}", "********", f"FILE {file}") in describe(settings)


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("STRATEGIE", "EVIL2ROOT_STRATEGY"),
            ("RISK__RISK_PER_TRAD_FRAC", "EVIL2ROOT_RISK__RISK_PER_TRADE_FRAC"),
            ("REPLY__SPEED", "EVIL2ROOT_REPLAY__SPEED"),
            ("SECRET_KEY_FIL", "EVIL2ROOT_SECRET_KEY_FILE"),
        ],
    )
    def test_name_the_nearest_right_key_whatever_the_source(self, name: str, meant: str, tmp_path: Path) -> None:
        assert f"EVIL2ROOT_{name} (environment) is not a setting; did you mean {meant}?" == refusal(**{name: "1"})

        (tmp_path / ".env").write_text(f"EVIL2ROOT_{name}=1\n")
        assert f"EVIL2ROOT_{name} (.env) is not a setting; did you mean {meant}?" == refusal(tmp_path)

        (tmp_path / ".env").unlink()
        *groups, leaf = name.lower().split("__")
        table = f"[{groups[0]}]\n" if groups else ""
        (tmp_path / "evil2root.toml").write_text(f"{table}{leaf} = 1\n")
        assert f"EVIL2ROOT_{name} (evil2root.toml) is not a setting; did you mean {meant}?" == refusal(tmp_path)

    def test_cover_the_set_up_script_s_names_and_whole_groups(self) -> None:
        assert "EVIL2ROOT_SETUP_FORCE (environment) is not a setting" in refusal(SETUP_FORCE="1")
        assert "is a group, not a setting: set its parts" in refusal(RISK="{}")

    @pytest.mark.parametrize(
        ("name", "value", "limit"),
        [
            ("RISK__RISK_PER_TRADE_FRAC", "2", "a number above 0 up to 1"),
            ("RISK__RISK_PER_TRADE_FRAC", "NaN", "a number above 0 up to 1"),
            ("RISK__GROSS_FRAC", "1e999", "a number from 0 to 10"),
            ("PAPER__CASH", "-5", "a number above 0 up to 1000000000000"),
            ("PAPER__CASH", "Infinity", "a number above 0 up to 1000000000000"),
            ("REPLAY__SPEED", "1e999", "a number from 0 to 1000000"),
            ("RISK__DAILY_LOSS_FRAC", "much", "a number from 0 to 1 or none"),
            ("RISK__POSITIONS_MAX", "1.5", "a whole number from 0 to 10000"),
            ("RISK__SHORT_ALLOWED", "perhaps", "true or false"),
            ("EXECUTION__TRAIL", "percnt", "one of none, percent, atr"),
            ("MODE", "real", "one of paper, live"),
            ("INTERVAL", "2h", "use one of 1m 5m 15m 30m 1h 4h 1d"),
            ("WATCHLIST", "AAPL,no way", "use 1 to 24 of A-Z"),
            ("WATCHLIST", "AAPL,aapl", "AAPL is named twice"),
            ("STRATEGY", "fusoin", "did you mean fusion?"),
            ("BROKER", "papr", "did you mean paper?"),
            ("MARKET_DATA", "reply", "did you mean replay?"),
            ("MARKET_DATA", "ccxt", "Known are yfinance, alpaca, ccxt:EXCHANGE, tiingo, folder"),
            ("MARKET_DATA", "ccxt:EXCHANGE", "is no source of market data"),
            ("MARKET_DATA", "folder,folder", "folder is named twice"),
            ("TELEGRAM__BASE_URL", "ftp://x", "starts with https:// or http://"),
            ("COMPUTE", "cloud", "neither local nor dask://HOST:PORT"),
        ],
    )
    def test_name_the_key_the_value_and_the_limit_in_one_line(self, name: str, value: str, limit: str) -> None:
        said = refusal(**{name: value})

        assert said.startswith(f"EVIL2ROOT_{name} (environment) is {value!r}: ")
        assert limit in said
        assert "\n" not in said

    def test_list_everything_that_is_wrong_at_once(self) -> None:
        said = refusal(MODE="real", INTERVAL="2h", HTTP__PORT="http")

        assert [line.split(" ")[0] for line in said.splitlines()] == [
            "EVIL2ROOT_MODE", "EVIL2ROOT_INTERVAL", "EVIL2ROOT_HTTP__PORT"
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("values", "why"),
        [
            ({"MODE": "live"}, "set EVIL2ROOT_LIVE_CONFIRM=I-UNDERSTAND"),
            ({"MODE": "live", "LIVE_CONFIRM": "yes"}, "set EVIL2ROOT_LIVE_CONFIRM=I-UNDERSTAND"),
            (
                {"MODE": "live", "LIVE_CONFIRM": "I-UNDERSTAND", "MARKET_DATA": "replay"},
                "recorded prices never move real money",
            ),
            (
                {"MODE": "live", "LIVE_CONFIRM": "I-UNDERSTAND", "EXECUTION__DRILL_EVERY_S": "86400"},
                "a drill closes every position",
            ),
            ({"MARKET_DATA": "folder,simulated"}, "simulated stands alone"),
            ({"MODE": "live", "LIVE_CONFIRM": "I-UNDERSTAND", "MARKET_DATA": "simulated"}, "nor do invented ones"),
            (
                {"BROKER": "alpaca", "ALPACA__BASE_URL": "https://api.alpaca.markets/"},
                "set EVIL2ROOT_ALPACA__BASE_URL=https://paper-api.alpaca.markets, or the other mode",
            ),
            (
                {"BROKER": "alpaca", "MODE": "live", "LIVE_CONFIRM": "I-UNDERSTAND"},
                "set EVIL2ROOT_ALPACA__BASE_URL=https://api.alpaca.markets, or the other mode",
            ),
            ({"MODE": "live", "LIVE_CONFIRM": "I-UNDERSTAND", "BROKER": "alpaca"}, "needs EVIL2ROOT_ALPACA__API_KEY"),
            ({"MODE": "live", "LIVE_CONFIRM": "I-UNDERSTAND"}, "which has no real money"),
            ({"BROKER": "alpaca"}, "needs EVIL2ROOT_ALPACA__API_KEY and EVIL2ROOT_ALPACA__API_SECRET"),
            ({"BROKER": "ccxt:binance"}, "needs EVIL2ROOT_CCXT__API_KEY and EVIL2ROOT_CCXT__API_SECRET"),
            (
                {
                    "BROKER": "ccxt:binance",
                    "CCXT__API_KEY": "k",
                    "CCXT__API_SECRET": "s",
                    "CCXT__BASE_URL": "https://api1.binance.com/",
                },
                "where the other kind of account is",
            ),
            (
                {"BROKER": "ccxt:binance", "CCXT__BASE_URL": "https://testnet.binance.vision", "MODE": "live"},
                "where the other kind of account is",
            ),
            ({"SIGNALS__BREAKOUT_WEIGHT": "0.5"}, "they must sum to 1"),
            ({"VALIDATION__TREND_WEIGHT": "0.5"}, "they must sum to 1"),
        ],
    )
    def test_cover_what_contradicts_itself(self, values: dict[str, str], why: str) -> None:
        assert why in refusal(**values)

    def test_say_what_this_build_has_not_got(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tree, "LIVE_SOURCES", ("alpaca",))  # a build that lacks one
        assert refusal(BROKER="ccxt:kraken") == (
            "EVIL2ROOT_BROKER=ccxt:kraken: how this exchange answers has not been proved here, and orders are not sent on "
            "a guess. This build has paper, alpaca and ccxt:binance."
        )
        assert "tiingo is reserved: not built yet" in refusal(MARKET_DATA="tiingo")
        assert "This build has only local" in refusal(COMPUTE="dask://host:1234")

    def test_leave_what_is_only_unused_to_a_notice(self) -> None:
        settings = read(TELEGRAM__TOKEN="123:abc")

        assert settings.reserved() == [
            "EVIL2ROOT_TELEGRAM__TOKEN is set, but reserved: not built yet, nothing uses it."
        ]

    @pytest.mark.parametrize("weak", ["short", "a" * 64, "abcabcabc" * 8])
    def test_cover_a_weak_secret_key_without_repeating_it(self, weak: str) -> None:
        said = refusal(SECRET_KEY=weak)

        assert "at least 32 and 12 are asked" in said
        assert weak not in said

    def test_never_repeat_a_secret_address(self) -> None:
        assert "hunter2" not in refusal(DATABASE_URL="mysql://me:hunter2@db/x")

    def test_name_the_secret_file_that_can_not_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text("\n")

        assert "No such file" in refusal(SECRET_KEY_FILE=str(tmp_path / "none"))
        assert "the file is empty" in refusal(SECRET_KEY_FILE=str(tmp_path / "empty"))
        assert "keep one of them" in refusal(SECRET_KEY=GOOD_KEY, SECRET_KEY_FILE=str(tmp_path / "empty"))

    def test_name_a_file_that_is_no_toml(self, tmp_path: Path) -> None:
        (tmp_path / "evil2root.toml").write_text("mode = paper\n")

        assert "evil2root.toml is not TOML" in refusal(tmp_path)

    @given(st.sampled_from(sorted(keys())), st.text(min_size=1, max_size=30).filter(lambda text: "\x00" not in text))
    def test_are_the_only_answer_to_nonsense_besides_settings(self, name: str, text: str) -> None:
        try:
            settings = read(**{name: text})
        except SettingsProblem as problem:
            assert name in str(problem) or "I-UNDERSTAND" in str(problem) or "sum to 1" in str(problem)  # noqa: PT017
        else:
            assert len(describe(settings)) == len(keys())


class TestPolicyOptions:
    def test_hand_on_only_what_somebody_set_and_the_strategy_knows(self) -> None:
        settings = read(
            RISK__DAILY_LOSS_FRAC="none", RISK__SHORT_ALLOWED="false", COSTS__FEE_FRAC="0.002", EXECUTION__TRAIL="atr"
        )

        assert settings.policy_options() == {
            "daily_loss_frac": "none", "short": "false", "fee": "0.002", "trail": "atr"
        }  # fmt: skip
        assert settings.policy_options("metronome") == {"fee": "0.002"}

    def test_agree_with_the_settings_on_every_default(self) -> None:
        settings, options = read(), {option.name: option for option in options_for("fusion")}
        elsewhere = {
            "execution.quarantine_s", "execution.drill_every_s", "execution.drill_patience_s",
            "validation.on_llm_failure", "paper.cash", "paper.currency",
        }  # fmt: skip
        compared = 0

        for block in OPTION_BLOCKS:
            for leaf, value in getattr(settings, block):
                if f"{block}.{leaf}" not in elsewhere:
                    option = options[OPTION_NAMES.get(f"{block}.{leaf}", leaf)]
                    assert option.read("none" if value is None else str(value).lower()) == option.read(option.default)
                    compared += 1

        assert compared >= 25


def real_money(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a live account, in a build that has live prices."""
    monkeypatch.setattr(tree, "LIVE_SOURCES", ("alpaca",))
    return read(
        MODE="live", LIVE_CONFIRM="I-UNDERSTAND", BROKER="alpaca", MARKET_DATA="alpaca", ALPACA__API_KEY="k",
        ALPACA__API_SECRET="s", ALPACA__BASE_URL="https://api.alpaca.markets",
    )  # fmt: skip


class TestFeatures:
    def test_name_the_series_around_by_role(self) -> None:
        told = read(FEATURES__INDEX="spy", FEATURES__RATE="none", FEATURES__SECTORS="technology=QQQ, health care=XLV")

        neighbours = told.features.neighbours()
        assert neighbours.symbols == {Role.INDEX: "SPY", Role.VOLATILITY: "^VIX"}
        assert neighbours.sectors == {"technology": "QQQ", "health care": "XLV"}
        assert told.reserved() == []
        assert read().features.neighbours() == US_NEIGHBOURS
        assert read(FEATURES__SECTORS="none").features.neighbours().sectors == {}

    def test_refuse_a_sector_nobody_knows(self) -> None:
        assert "did you mean energy?" in refusal(FEATURES__SECTORS="enrgy=XLE")


class TestLiveMode:
    def test_is_refused_without_a_source_of_live_prices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tree, "LIVE_SOURCES", ())
        said = refusal(MODE="live", LIVE_CONFIRM="I-UNDERSTAND", BROKER="alpaca")

        assert "EVIL2ROOT_MODE=live needs live prices" in said

    def test_is_allowed_when_it_is_set_confirmed_and_keyed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert real_money(monkeypatch).mode == "live"

    def test_says_what_it_will_do_and_every_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = real_money(monkeypatch)
        policy = policy_of(settings, ["AAPL", "MSFT"])

        said = "\n".join(live_words(settings, policy))

        assert "move real money" in said
        assert "alpaca-live in USD" in said
        assert "fusion on AAPL, MSFT" in said
        assert all(field.name in said for field in fields(policy.limits))
        assert f"per_symbol_frac {policy.limits.per_symbol_frac}, " in said
        assert "asset_class_frac off" in said
