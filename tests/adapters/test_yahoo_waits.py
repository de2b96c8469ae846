"""How long Yahoo wants to be left alone."""

import pytest

from evil2root.adapters.market_data import yahoo_wire


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [({"Retry-After": "17"}, 17.0), ({}, None), ({"Retry-After": "soon", "Date": "Fri, 14 Jun 2024 21:00:00 GMT"}, None),
     ({"Retry-After": "Fri, 14 Jun 2024 21:00:30 GMT", "Date": "Fri, 14 Jun 2024 21:00:00 GMT"}, 30.0),
     ({"Retry-After": "Fri, 14 Jun 2024 21:00:30 GMT"}, None)],
)  # fmt: skip
def test_say_it_in_seconds_or_as_a_moment(headers: dict[str, str], wait_s: float | None) -> None:
    assert yahoo_wire._retry_after(headers) == wait_s
