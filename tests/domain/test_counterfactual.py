"""What a source would have had to say for something else to be done."""

import pytest

from evil2root.domain.decision.counterfactual import counterfactuals, score_short
from evil2root.domain.signals.fusion import Weights, fuse
from evil2root.domain.signals.values import Opinion

WEIGHTS = Weights.of({"trend": 0.6, "volume": 0.3, "regime": 0.1})


def opinions(**p_ups: float | None) -> tuple[Opinion, ...]:
    return tuple(Opinion(source=s, version="1", horizon=5, p_up=p, reason="Because.") for s, p in p_ups.items())


@pytest.mark.parametrize(
    "p_ups", [{"trend": 0.55, "volume": 0.6}, {"trend": 0.8, "volume": 0.7}, {"trend": 0.4, "volume": 0.45}]
)
def test_saying_what_was_needed_brings_the_view_exactly_to_its_threshold(p_ups: dict[str, float]) -> None:
    signals, view = fuse(opinions(**p_ups, regime=None), WEIGHTS)
    assert view is not None

    for one in counterfactuals(signals, view, threshold=0.2):
        _, changed = fuse(opinions(**p_ups | {one.source: one.p_up_needed}, regime=None), WEIGHTS)
        assert changed is not None
        assert abs(changed.score) == pytest.approx(0.2)
        assert changed.side is view.side


def test_the_nearest_comes_first_and_who_was_silent_is_not_asked() -> None:
    signals, view = fuse(opinions(trend=0.55, volume=0.6, regime=None), WEIGHTS)

    found = counterfactuals(signals, view, threshold=0.2)

    assert [one.source for one in found] == ["trend", "volume"]
    assert found[0].distance < found[1].distance
    assert all(one.is_possible for one in found)


def test_a_threshold_one_source_alone_can_t_reach_is_said_to_be_out_of_reach() -> None:
    signals, view = fuse(opinions(trend=0.5001, volume=0.5, regime=0.5), WEIGHTS)

    found = counterfactuals(signals, view, threshold=0.99)

    assert not found[-1].is_possible


def test_tells_how_far_the_score_is_from_its_threshold() -> None:
    _, view = fuse(opinions(trend=0.55), WEIGHTS)
    assert view is not None

    assert score_short(view, threshold=0.2) == pytest.approx(0.1)
    assert counterfactuals((), None, threshold=0.2) == ()
