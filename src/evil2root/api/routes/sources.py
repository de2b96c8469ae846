"""The sources of signals."""

from fastapi import APIRouter

from evil2root.api.deps import PROBLEMS, DeskDep
from evil2root.api.schemas.sources import SourcesOut
from evil2root.api.strict import StrictRoute
from evil2root.engine.source_reports import sources_report

router = APIRouter(prefix="/sources", route_class=StrictRoute, tags=["decisions"], responses=PROBLEMS)


@router.get("", summary="Sources: weights, scores, calibration")
async def get_sources(desk: DeskDep) -> SourcesOut:
    """Return each source with its weight, how its probabilities did on stored history, and how its scores are read now.

    Computed anew when asked for, from up to 4,096 bars of up to 25 symbols. Every probability is held out: it rests
    on outcomes that were known on its bar. Empty for a strategy without sources.
    """
    return SourcesOut.of(await sources_report(desk))
