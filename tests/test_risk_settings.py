"""Settings and options of risk and exits are the same things under the same names, with the same bounds."""

import pytest

from evil2root.domain.kernel.profiles import options_for
from evil2root.domain.risk.limits import BOUNDS
from evil2root.settings.blocks import ExecutionSettings, RiskSettings
from evil2root.settings.reading import limit_of

NEW_EXITS = ("break_even_r", "time_stop_bars", "time_stop_r", "trail")


@pytest.mark.parametrize("name", [name for name, _, _ in BOUNDS])
def test_a_limit_has_one_pair_of_bounds(name: str) -> None:
    option = next(option for option in options_for("fusion") if option.name == name)

    assert limit_of(RiskSettings.model_fields[name]) == option.limit


def test_the_words_of_sizing_and_trailing_are_the_same() -> None:
    options = {option.name: option for option in options_for("fusion")}

    assert limit_of(RiskSettings.model_fields["sizing"]) == options["sizing"].limit
    assert limit_of(ExecutionSettings.model_fields["trail"]) == options["trail"].limit


@pytest.mark.parametrize("name", NEW_EXITS)
def test_an_exit_can_be_set_by_both(name: str) -> None:
    assert name in ExecutionSettings.model_fields
    assert name in {option.name for option in options_for("fusion")}
