"""Decisions and their recomputation."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from evil2root.api.deps import NOT_FOUND, PROBLEMS, Cursor, DeskDep, Limit, SymbolQuery
from evil2root.api.problems import Problem
from evil2root.api.schemas.decisions import DecisionOut, DecisionRowOut, RecomputedOut
from evil2root.api.strict import StrictRoute
from evil2root.api.values import ListOut, midnight, moment, page_or_422
from evil2root.domain.kernel.record import Outcome
from evil2root.engine.reads import DecisionFilter

router = APIRouter(prefix="/decisions", route_class=StrictRoute, tags=["decisions"], responses=PROBLEMS)

DecisionId = Annotated[str, Path(max_length=60, examples=["D-2419"])]
Since = Annotated[str | None, Query(max_length=40, description="RFC 3339, or a plain date (UTC).")]


@router.get("", summary="Decisions, newest first")
async def get_decisions(  # noqa: PLR0913 - the parts of the question
    desk: DeskDep,
    symbol: SymbolQuery = None,
    outcome: Annotated[list[Outcome] | None, Query(description="Any of these.")] = None,
    since: Since = None,
    until: Since = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListOut[DecisionRowOut]:
    """List every bar that reached the strategy, trades and non-trades alike."""
    which = DecisionFilter(
        symbol=symbol,
        outcomes=tuple(outcome or ()),
        since=midnight(moment(since, field="since")),
        until=midnight(moment(until, field="until")),
    )
    page = await page_or_422(desk.reads.decisions(which, limit=limit, cursor=cursor), cursor=cursor)
    return ListOut[DecisionRowOut].model_validate(page)


@router.get("/{decision_id}", summary="A decision with all it rests on", responses=NOT_FOUND)
async def get_decision(decision_id: DecisionId, desk: DeskDep) -> DecisionOut:
    """Return the record: features, sources, view, factors, verdict, sizing, limits and orders."""
    decision = await desk.reads.decision(decision_id)
    if decision is None:
        raise _unknown(decision_id)
    return DecisionOut.of(decision, threshold=await desk.threshold_of(decision.policy_digest))


@router.post("/{decision_id}/replay", summary="Recompute a decision", responses=NOT_FOUND)
async def replay_decision(decision_id: DecisionId, desk: DeskDep) -> RecomputedOut:
    """Recompute it from what was stored and compare field by field. Changes nothing, so it needs no key."""
    found = await desk.recompute(decision_id)
    if found is None:
        raise _unknown(decision_id)
    return RecomputedOut.of(found)


def _unknown(decision_id: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no decision {decision_id!r}; they are called D-1, D-2 and so on.")
