"""The sources of signals."""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from evil2root.api.deps import ADMIN, CONFLICT, PROBLEMS, CallerDep, DeskDep, OriginDep
from evil2root.api.once import OnceDep
from evil2root.api.problems import Problem
from evil2root.api.routes.book import done
from evil2root.api.schemas.book import ReplyOut
from evil2root.api.schemas.sources import SourcesOut, WeightsIn
from evil2root.api.strict import StrictRoute
from evil2root.engine.source_reports import sources_report

router = APIRouter(prefix="/sources", route_class=StrictRoute, tags=["decisions"], responses=PROBLEMS)


@router.get("", summary="Sources: weights, scores, calibration")
async def get_sources(desk: DeskDep) -> SourcesOut:
    """Return each source with its weight, how its probabilities did on stored history, and how its scores are read now.

    Computed anew when asked for, from up to 4,096 bars of up to 25 symbols, with places among all that are traded.
    Every probability is held out: it rests on outcomes that were known on its bar. Empty for a strategy without sources.
    """
    return SourcesOut.of(await sources_report(desk), changed=desk.weighing.newest)


@router.patch("", summary="Change default weights", responses=CONFLICT, response_model=ReplyOut, dependencies=[ADMIN])
async def change_weights(
    body: WeightsIn, desk: DeskDep, caller: CallerDep, origin: OriginDep, once: OnceDep
) -> Response:
    """Give sources other default weights, from the next decision on and over restarts; null gives back the settings'.

    Sources that are not named keep theirs. After that all weights sum to 1, else nothing changes (422). Decisions made
    before keep the weights they were made by. With `seen` nobody's change is overwritten unread. The change is in the audit log with the weights before and after.
    """

    async def change() -> ReplyOut:
        try:
            return done(await desk.weighing.weigh(body.weights, by=caller.name, origin=origin, seen=body.seen))
        except ValueError as problem:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(problem), field="body.weights") from problem

    return await once.run(change)
