"""How the bot is: status, sources, settings, system, audit."""

import platform
from pathlib import Path
from resource import getpagesize

from fastapi import APIRouter
from pydantic import Field

from evil2root.api.deps import ADMIN, PROBLEMS, Cursor, DeskDep, Limit
from evil2root.api.schemas.people import AuditOut
from evil2root.api.schemas.status import (
    CacheOut,
    DatabaseOut,
    DrillOut,
    FeedOut,
    ParkedOut,
    SettingsOut,
    StatusOut,
    SystemOut,
)
from evil2root.api.strict import StrictRoute
from evil2root.api.values import ListOut, Out, page_or_422
from evil2root.domain.decision.strategies.fusion import Fusion

PARKED_MAX = 50
DRILLS_MAX = 20

router = APIRouter(route_class=StrictRoute, responses=PROBLEMS)


class WeightedSourceOut(Out):
    """A source of opinions, as the strategy uses it."""

    name: str
    version: str
    horizon: int
    """Bars ahead its probability speaks of."""
    inputs: list[str]
    warm_up: int
    default_weight: float = Field(ge=0, le=1)


class SourcesOut(Out):
    """Who is asked for an opinion, and what it weighs."""

    strategy: str
    items: list[WeightedSourceOut]
    """Empty for a strategy that asks nobody."""


@router.get("/status", summary="Is the bot trading?", tags=["status"])
async def get_status(desk: DeskDep) -> StatusOut:
    """Tell mode, halt, leadership, freshness of the feed, equity and the day's result."""
    return StatusOut.of(desk.status())


@router.get("/sources", summary="Who is asked, and what does each weigh?", tags=["status"])
async def get_sources(desk: DeskDep) -> SourcesOut:
    """List the sources of the strategy in use, with their default weights."""
    strategy = desk.policy.strategy
    if not isinstance(strategy, Fusion):
        return SourcesOut(strategy=strategy.name, items=[])
    weights = dict(strategy.weights.by_source)
    items = [
        WeightedSourceOut(
            name=s.name, version=s.version, horizon=s.horizon, inputs=list(s.inputs), warm_up=s.warm_up,
            default_weight=weights[s.name],
        )
        for s in strategy.sources
    ]  # fmt: skip
    return SourcesOut(strategy=strategy.name, items=items)


@router.get("/settings", summary="Effective settings", tags=["status"])
async def get_settings(desk: DeskDep) -> SettingsOut:
    """Tell every setting in force; secrets are masked."""
    return SettingsOut(settings=dict(desk.settings()))


@router.get("/system", summary="What it runs on", tags=["status"])
async def get_system(desk: DeskDep) -> SystemOut:
    """Tell versions, memory, database, and events that fitted nothing known."""
    status = desk.status()
    return SystemOut(
        version=status.version,
        python=platform.python_version(),
        phase=status.phase,
        started_at=status.started_at,
        memory_bytes=resident_bytes(),
        inbox=status.inbox,
        step_ms=status.step_ms,
        feed=FeedOut.of(status.feed, status),
        database=DatabaseOut.of(await desk.reads.health()),
        cache=CacheOut.model_validate(desk.reads.cache()),
        parked=[ParkedOut.of(line) for line in await desk.reads.parked(limit=PARKED_MAX)],
        drills=[DrillOut.of(one) for one in await desk.reads.drills(limit=DRILLS_MAX)],
    )


@router.get("/audit", summary="Who did what", tags=["people"], dependencies=[ADMIN])
async def get_audit(desk: DeskDep, limit: Limit = 50, cursor: Cursor = None) -> ListOut[AuditOut]:
    """List the audit log, newest first."""
    page = await page_or_422(desk.reads.audit(limit=limit, cursor=cursor), cursor=cursor)
    return ListOut[AuditOut].model_validate(page)


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * getpagesize()
