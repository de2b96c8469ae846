"""The table of market-data providers, and what it makes of the settings."""

from pathlib import Path

import pytest

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.system_clock import SystemClock
from evil2root.main.sources import PROVIDERS, opened_sources
from evil2root.settings import Settings, SettingsProblem, load
from evil2root.settings.tree import LIVE_SOURCES, UNREAL_SOURCES


def read(**values: str) -> Settings:
    return load(environment={f"EVIL2ROOT_{name}": value for name, value in values.items()}, folder=Path("/nowhere"))


class TestTheTable:
    def test_has_what_the_settings_say_is_built(self) -> None:
        assert {*PROVIDERS, "replay"} == {*LIVE_SOURCES, *UNREAL_SOURCES}

    async def test_makes_the_named_sources_in_their_order(self, tmp_path: Path) -> None:
        settings = read(MARKET_DATA="folder", FOLDER__PATH=str(tmp_path))

        async with opened_sources(settings, clock=SystemClock(), calendars=ExchangeCalendars()) as sources:
            assert sources.name == "folder"

    async def test_says_what_a_source_lacks(self) -> None:
        with pytest.raises(SettingsProblem, match=r"MARKET_DATA names folder\. EVIL2ROOT_FOLDER__PATH is not set"):
            async with opened_sources(read(MARKET_DATA="folder"), clock=SystemClock(), calendars=ExchangeCalendars()):
                pass
