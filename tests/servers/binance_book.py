"""The books of a small Binance (spot): orders, trades and balances, exact, with the filters of its markets."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from evil2root.adapters.system_clock import SystemClock

ZERO = Decimal(0)
DONE = ("FILLED", "CANCELED", "EXPIRED", "REJECTED")
NAME = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
STOPS = ("STOP_LOSS", "STOP_LOSS_LIMIT")
FINEST = Decimal("1e-8")


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """What the venue answers instead of doing it."""

    def __init__(self, code: int, message: str, *, status: int = 400, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.data = status, code, message, data


@dataclass
class Pair:
    """One market and its filters."""

    base: str
    quote: str
    tick: Decimal = Decimal("0.01")
    step: Decimal = Decimal("0.00001")
    least: Decimal = Decimal("0.00001")
    notional: Decimal = Decimal(5)
    types: tuple[str, ...] = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT")
    status: str = "TRADING"

    @property
    def symbol(self) -> str:
        return self.base + self.quote

    def shown(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol, "status": self.status, "baseAsset": self.base, "baseAssetPrecision": 8,
            "quoteAsset": self.quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": list(self.types),
            "isSpotTradingAllowed": True, "permissionSets": [["SPOT"]],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": str(self.tick), "maxPrice": "1000000.00000000",
                 "tickSize": f"{self.tick:.8f}"},
                {"filterType": "LOT_SIZE", "minQty": f"{self.least:.8f}", "maxQty": "9000000.00000000",
                 "stepSize": f"{self.step:.8f}"},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "100000.00000000",
                 "stepSize": "0.00000000"},
                {"filterType": "NOTIONAL", "minNotional": f"{self.notional:.8f}", "applyMinToMarket": True,
                 "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
            ],
        }  # fmt: skip


@dataclass
class Row:
    """One order as the server keeps it."""

    id: int
    name: str
    symbol: str
    side: str
    type: str
    qty: Decimal
    price: Decimal
    stop: Decimal
    created_at: datetime
    updated_at: datetime
    status: str = "NEW"
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    visible_at: datetime | None = None
    """A late order is not found before this moment."""

    @property
    def left(self) -> Decimal:
        return self.qty - self.filled

    @property
    def is_open(self) -> bool:
        return self.status not in DONE

    @property
    def is_visible(self) -> bool:
        return self.visible_at is None or self.visible_at <= present()

    def shown(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol, "orderId": self.id, "orderListId": -1, "clientOrderId": self.name,
            "price": f"{self.price:.8f}", "origQty": f"{self.qty:.8f}", "executedQty": f"{self.filled:.8f}",
            "origQuoteOrderQty": "0.00000000", "cummulativeQuoteQty": f"{self.paid:.8f}", "status": self.status,
            "timeInForce": "GTC", "type": self.type, "side": self.side, "stopPrice": f"{self.stop:.8f}",
            "icebergQty": "0.00000000", "time": stamp(self.created_at), "updateTime": stamp(self.updated_at),
            "isWorking": True, "workingTime": stamp(self.created_at), "selfTradePreventionMode": "NONE",
        }  # fmt: skip

    def answered(self) -> dict[str, Any]:
        """What placing it is answered with (RESULT): the same, with one time under another name."""
        shown = self.shown()
        return {k: v for k, v in shown.items() if k not in ("time", "updateTime")} | {
            "transactTime": shown["updateTime"]
        }


@dataclass
class Trade:
    """One execution."""

    id: int
    order: int
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime

    def shown(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol, "id": self.id, "orderId": self.order, "orderListId": -1,
            "price": f"{self.price:.8f}", "qty": f"{self.qty:.8f}", "quoteQty": f"{self.qty * self.price:.8f}",
            "commission": f"{self.fee:.8f}", "commissionAsset": self.fee_asset, "time": stamp(self.at),
            "isBuyer": self.side == "BUY", "isMaker": False, "isBestMatch": True,
        }  # fmt: skip


@dataclass
class BinanceBook:
    """One account."""

    pairs: dict[str, Pair] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(100_000)})
    prices: dict[str, Decimal] = field(default_factory=dict)
    """By symbol; others trade at 100."""
    fees: str = "none"
    """`received`: of what is received, as by default; `bnb`: in a third currency; `none`."""
    fee_frac: Decimal = Decimal("0.001")
    part: Decimal | None = None
    """Market orders fill so much at first; none: all."""
    orders: dict[int, Row] = field(default_factory=dict)
    done: list[Trade] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    """Client order ids of every order request that was read, in order."""
    numbers: int = 1_000
    moment: datetime | None = None

    def place(self, asked: dict[str, str], *, late_s: float = 0.0) -> Row:
        """Take an order as the venue does, or refuse it."""
        pair = self.pair(asked.get("symbol", ""))
        name = asked.get("newClientOrderId") or f"web_{self.numbers}"
        if not NAME.fullmatch(name):
            raise Refusal(-1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is "
                                 "'^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.")  # fmt: skip
        if any(r.name == name and r.is_open for r in self.orders.values()):
            raise Refusal(-2010, "Duplicate order sent.")  # only among open orders, as there
        kind, side, qty = asked["type"], asked["side"], Decimal(asked["quantity"])
        price, stop = Decimal(asked.get("price", "0")), Decimal(asked.get("stopPrice", "0"))
        self._filtered(pair, kind=kind, qty=qty, price=price, stop=stop)
        self._affordable(pair, side=side, kind=kind, qty=qty, price=price or stop)
        now = self._now()
        row = Row(
            id=self._number(), name=name, symbol=pair.symbol, side=side, type=kind, qty=qty, price=price, stop=stop,
            created_at=now, updated_at=now, visible_at=now + timedelta(seconds=late_s) if late_s else None,
        )  # fmt: skip
        self.orders[row.id] = row
        if kind == "MARKET":
            self.execute(row, min(self.part or qty, qty))
        return row

    def _filtered(self, pair: Pair, *, kind: str, qty: Decimal, price: Decimal, stop: Decimal) -> None:
        if kind not in pair.types:
            raise Refusal(-1106 if kind in STOPS else -1116, f"Order type '{kind}' is not allowed for this symbol.")
        if qty <= 0 or qty < pair.least or qty % pair.step:
            raise Refusal(-1013, "Filter failure: LOT_SIZE")
        for level, wanted in ((price, kind in ("LIMIT", "STOP_LOSS_LIMIT")), (stop, kind in STOPS)):
            if wanted and (level <= 0 or level % pair.tick):
                raise Refusal(-1013, "Filter failure: PRICE_FILTER")
        if qty * (price or stop or self.price(pair.symbol)) < pair.notional:
            raise Refusal(-1013, "Filter failure: NOTIONAL")

    def _affordable(self, pair: Pair, *, side: str, kind: str, qty: Decimal, price: Decimal) -> None:
        cost = qty * (price if kind != "MARKET" else self.price(pair.symbol))
        asset, need = (pair.quote, cost) if side == "BUY" else (pair.base, qty)
        if need > self.balances.get(asset, ZERO) - self.locked(asset):
            raise Refusal(-2010, "Account has insufficient balance for requested action.")

    def locked(self, asset: str) -> Decimal:
        """What open orders hold back."""
        held = ZERO
        for row in self.orders.values():
            if not row.is_open:
                continue
            pair = self.pairs[row.symbol]
            if row.side == "SELL" and pair.base == asset:
                held += row.left
            elif row.side == "BUY" and pair.quote == asset and row.type != "MARKET":
                held += row.left * (row.price or row.stop)
        return held

    def execute(self, row: Row, qty: Decimal, price: Decimal | None = None) -> Trade:
        """Fill some of an order."""
        pair = self.pairs[row.symbol]
        at = price or row.stop or row.price or self.price(row.symbol)
        now = self._now()
        row.filled, row.paid, row.updated_at = row.filled + qty, row.paid + qty * at, now
        row.status = "FILLED" if not row.left else "PARTIALLY_FILLED"
        sign = 1 if row.side == "BUY" else -1
        self._change(pair.base, sign * qty)
        self._change(pair.quote, -sign * qty * at)
        fee, asset = self._fee(pair, row.side, qty, at)
        self._change(asset, -fee)
        one = Trade(
            id=self._number(), order=row.id, symbol=row.symbol, side=row.side, qty=qty, price=at, fee=fee,
            fee_asset=asset, at=now,
        )  # fmt: skip
        self.done.append(one)
        return one

    def _fee(self, pair: Pair, side: str, qty: Decimal, at: Decimal) -> tuple[Decimal, str]:
        if self.fees == "received":
            amount, asset = (qty, pair.base) if side == "BUY" else (qty * at, pair.quote)
        elif self.fees == "bnb":
            amount, asset = qty * at / 600, "BNB"
        else:
            return ZERO, pair.quote
        return (amount * self.fee_frac).quantize(FINEST, rounding=ROUND_DOWN), asset

    def _change(self, asset: str, amount: Decimal) -> None:
        self.balances[asset] = self.balances.get(asset, ZERO) + amount

    def cancel(self, row: Row) -> None:
        """Take an order out."""
        if not row.is_open:
            raise Refusal(-2011, "Unknown order sent.")
        row.status, row.updated_at = "CANCELED", self._now()

    def replace(self, row: Row | None, asked: dict[str, str], *, late_s: float = 0.0) -> Row:
        """Cancel an order and place another; after a cancel that failed only when `ALLOW_FAILURE` asks for it."""
        if asked.get("cancelReplaceMode") not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise Refusal(-1102, "Mandatory parameter 'cancelReplaceMode' was not sent, was empty/null, or malformed.")
        try:
            row = self._made_way(row, asked)
        except Refusal as no:
            said = {"cancelResult": "FAILURE", "cancelResponse": {"code": no.code, "msg": no.message}}
            if asked["cancelReplaceMode"] == "STOP_ON_FAILURE":
                said["newOrderResult"] = "NOT_ATTEMPTED"
                raise Refusal(-2022, "Order cancel-replace failed.", data=said) from no
            self.place(asked, late_s=late_s)
            said["newOrderResult"] = "SUCCESS"
            raise Refusal(-2021, "Order cancel-replace partially failed.", status=409, data=said) from no
        try:
            return self.place(asked, late_s=late_s)
        except Refusal as no:
            said = {"cancelResult": "SUCCESS", "newOrderResult": "FAILURE", "cancelResponse": row.answered(),
                    "newOrderResponse": {"code": no.code, "msg": no.message}}  # fmt: skip
            raise Refusal(-2021, "Order cancel-replace partially failed.", status=409, data=said) from no

    def _made_way(self, row: Row | None, asked: dict[str, str]) -> Row:
        if row is None:
            raise Refusal(-2011, "Unknown order sent.")
        if asked.get("cancelRestrictions") == "ONLY_NEW" and row.status != "NEW":
            raise Refusal(-2011, "Order was not canceled due to cancel restrictions.")
        self.cancel(row)
        return row

    def found(self, symbol: str, *, number: str = "", name: str = "") -> Row:
        """Find the newest order of a name, or the one with a number, if it can be seen."""
        self.pair(symbol)
        for row in reversed(self.orders.values()):
            named = (number and str(row.id) == number) or (name and row.name == name)
            if row.symbol == symbol and named and row.is_visible:
                return row
        raise Refusal(-2013, "Order does not exist.")

    def pair(self, symbol: str) -> Pair:
        if symbol not in self.pairs:
            raise Refusal(-1121, "Invalid symbol.")
        return self.pairs[symbol]

    def price(self, symbol: str) -> Decimal:
        return self.prices.get(symbol, Decimal(100))

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    def _now(self) -> datetime:
        """Tell the present in whole milliseconds, as this venue does."""
        return self.moment or present()


def stamp(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def present() -> datetime:
    now = SystemClock().now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
