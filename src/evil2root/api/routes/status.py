"""How the bot is: status, settings, system, audit."""

import platform
from pathlib import Path
from resource import getpagesize

from fastapi import APIRouter

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
from evil2root.api.values import ListOut, page_or_422

PARKED_MAX = 50
DRILLS_MAX = 20

router = APIRouter(route_class=StrictRoute, responses=PROBLEMS)


@router.get("/status", summary="Is the bot trading?", tags=["status"])
async def get_status(desk: DeskDep) -> StatusOut:
    """Tell mode, halt, leadership, freshness of the feed, equity and the day's result."""
    return StatusOut.of(desk.status())


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
