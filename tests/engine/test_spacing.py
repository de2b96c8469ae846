"""Labels keep apart and keep their order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.engine.spacing import spaced


@given(st.lists(st.floats(0.0, 1.0), max_size=25), st.floats(0.001, 0.2))
def test_labels_never_touch_never_leave_and_never_swap(places: list[float], gap: float) -> None:
    made = spaced(places, gap=gap)

    room = min(gap, 1.0 / max(1, len(places) - 1))
    assert all(-1e-9 <= place <= 1.0 + 1e-9 for place in made)
    assert all(after - before >= room - 1e-9 for before, after in pairwise(sorted(made)))
    in_order = sorted(range(len(places)), key=lambda n: places[n])
    assert [made[n] for n in in_order] == sorted(made)


def test_what_does_not_touch_stays_where_it_is() -> None:
    assert spaced([0.9, 0.1, 0.5], gap=0.1) == pytest.approx([0.9, 0.1, 0.5])


def test_neighbours_make_room_on_both_sides() -> None:
    assert spaced([0.5, 0.5], gap=0.1) == pytest.approx([0.45, 0.55])
