"""Our books beside the broker's, and what a person decides about it."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from evil2root.api.deps import CONFLICT, PROBLEMS, TRADER, CallerDep, DeskDep, OriginDep
from evil2root.api.once import OnceDep
from evil2root.api.routes.book import done
from evil2root.api.schemas.book import ReplyOut
from evil2root.api.schemas.reconcile import ConfirmIn, ReconcileOut, SettleIn, ThawIn
from evil2root.api.strict import StrictRoute
from evil2root.domain.kernel.events import Settle

router = APIRouter(route_class=StrictRoute, tags=["book"], responses=PROBLEMS)


@router.get("/reconcile", summary="Our books beside the broker's")
async def get_reconcile(desk: DeskDep) -> ReconcileOut:
    """Compare cash and positions now, and list what is in doubt."""
    return ReconcileOut.of(await desk.reconciling.compare())


@router.post(
    "/reconcile", summary="Settle a difference", responses=CONFLICT, response_model=ReplyOut, dependencies=[TRADER]
)
async def settle(body: SettleIn, desk: DeskDep, caller: CallerDep, origin: OriginDep, once: OnceDep) -> Response:
    """Adopt what the broker has, adopt and close it, or let it be. Trading goes on when nothing differs any more."""

    async def work() -> ReplyOut:
        return done(
            await desk.reconciling.settle(
                body.what, Settle(body.how), by=caller.name, origin=origin, reason=body.reason
            )
        )

    return await once.run(work)


@router.post(
    "/symbols/{symbol}/thaw",
    summary="Let entries into a frozen symbol again",
    responses=CONFLICT,
    response_model=ReplyOut,
    dependencies=[TRADER],
)
async def thaw(  # noqa: PLR0913 - each is fetched for it
    symbol: Annotated[str, Path(max_length=60)], body: ThawIn, desk: DeskDep, caller: CallerDep, origin: OriginDep,
    once: OnceDep,
) -> Response:  # fmt: skip
    """End the freeze that something odd at the broker brought about."""

    async def work() -> ReplyOut:
        return done(await desk.reconciling.thaw(symbol, by=caller.name, origin=origin, reason=body.reason))

    return await once.run(work)


@router.post(
    "/orders/{order_id}/confirm",
    summary="Say whether an order of unknown outcome was placed",
    responses=CONFLICT,
    response_model=ReplyOut,
    dependencies=[TRADER],
)
async def confirm(  # noqa: PLR0913 - each is fetched for it
    order_id: Annotated[str, Path(max_length=60)], body: ConfirmIn, desk: DeskDep, caller: CallerDep,
    origin: OriginDep, once: OnceDep,
) -> Response:  # fmt: skip
    """End the doubt by what a person saw at the broker."""

    async def work() -> ReplyOut:
        return done(
            await desk.reconciling.confirm(
                order_id, placed=body.placed, by=caller.name, origin=origin, reason=body.reason
            )
        )

    return await once.run(work)
