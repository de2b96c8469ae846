"""What the page System says of the cache."""

import pytest

from evil2root.engine.hot import NO_CACHE, CacheState
from evil2root.web.views.system import services
from tests.fakes.desk import FakeReads, a_desk

REDIS = CacheState(kind="redis", says="redis://cache:6379/0", hits=1_200, misses=1)


@pytest.mark.parametrize(
    ("state", "light", "headline", "detail"),
    [
        (NO_CACHE, "ok", "none", "pages read the database each time"),
        (REDIS, "ok", "redis", "1,200 hits, 1 miss; redis://cache:6379/0"),
        (
            CacheState(kind="redis", says="redis://cache does not answer", is_away=True, refused=2, failures=3),
            "warn", "away", "no hits, no misses, 2 refused, 3 failures; redis://cache does not answer",
        ),
    ],
)  # fmt: skip
async def test_the_cache_is_named_with_what_it_was_good_for(
    monkeypatch: pytest.MonkeyPatch, state: CacheState, light: str, headline: str, detail: str
) -> None:
    monkeypatch.setattr(FakeReads, "cache", lambda _: state)

    [line] = [service for service in await services(a_desk(bars=1)) if service.name == "Cache"]

    assert (line.state, line.headline, line.detail) == (light, headline, detail)
