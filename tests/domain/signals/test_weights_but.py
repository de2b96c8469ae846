"""Some weights changed, the others kept."""

import pytest

from evil2root.domain.signals.fusion import Weights

NOW = Weights.of({"a": 0.5, "b": 0.3, "c": 0.2})


def test_those_not_named_keep_their_weight_and_their_place() -> None:
    assert NOW.but({"c": 0.0, "a": 0.7}) == Weights.of({"a": 0.7, "b": 0.3, "c": 0.0})


def test_nobody_new_is_weighed() -> None:
    with pytest.raises(ValueError, match="no source d; weighted are a, b, c"):
        NOW.but({"d": 0.0})


def test_all_together_still_sum_to_one() -> None:
    with pytest.raises(ValueError, match=r"sum to 1\.3 instead of 1"):
        NOW.but({"c": 0.5})
