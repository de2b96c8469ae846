"""The sources, in the shape scripts read, and what would have changed a decision."""

import pytest

from evil2root.domain.signals.panel import SOURCES
from tests.api.door import API, House


async def test_each_source_tells_its_weight_how_it_did_and_how_its_scores_are_read(house: House) -> None:
    async with house.keyed() as client:
        told = (await client.get(f"{API}/sources")).json()

    assert told["strategy"] == "fusion"
    assert [item["name"] for item in told["items"]] == [source.name for source in SOURCES]
    assert sum(item["default_weight"] for item in told["items"]) == pytest.approx(1.0)
    for item in told["items"]:
        scores = item["scores"]
        assert scores["outcomes"] == sum(one["count"] for one in scores["classes"])
        assert (scores["brier"] is None) == (scores["outcomes"] == 0)
        assert {one["symbol"] for one in item["calibration"]} == set(told["symbols"])
    assert told["fused"]["horizon"] > 0


async def test_a_decision_says_what_each_source_would_have_had_to_say(house: House) -> None:
    async with house.keyed() as client:
        rows = (await client.get(f"{API}/decisions?outcome=below_threshold&limit=1")).json()["items"]
        told = (await client.get(f"{API}/decisions/{rows[0]['id']}")).json()

    spoke = {s["source"] if "source" in s else s["name"] for s in told["sources"] if s["weight"] > 0}
    assert spoke
    assert {one["source"] for one in told["counterfactuals"]} == spoke
