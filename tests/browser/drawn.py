"""What a chart drew, read from its canvas: held to what the API told and where the chart itself places it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.async_api import Page

RECORDER = """
  addEventListener('chart:drawn', ({ detail }) => { window.drawn = detail; }, true);
  window.strokes = [];
  const proto = CanvasRenderingContext2D.prototype;
  const place = (context, x, y) => {
    const m = context.getTransform();
    return [(m.a * x + m.e) / devicePixelRatio, (m.d * y + m.f) / devicePixelRatio];
  };
  const note = (context, kind, more) => window.strokes.push({ kind, wide: context.canvas.clientWidth, ...more });
  const listen = (name, before) => {
    const real = proto[name];
    proto[name] = function (...given) { before(this, ...given); return real.apply(this, given); };
  };
  const paths = new WeakMap();
  listen('beginPath', (context) => { paths.set(context, []); });
  for (const name of ['moveTo', 'lineTo']) {
    listen(name, (context, x, y) => { (paths.get(context) ?? []).push(place(context, x, y)); });
    const real = Path2D.prototype[name];
    Path2D.prototype[name] = function (x, y) { (this.places ??= []).push([x, y]); return real.call(this, x, y); };
  }
  listen('arc', (context, x, y, radius) => note(context, 'arc', { at: place(context, x, y), radius }));
  listen('fillText', (context, text, x, y) => note(context, 'text', { text, at: place(context, x, y) }));
  listen('stroke', (context) => note(context, 'stroke', {
    path: paths.get(context) ?? [], style: context.strokeStyle, dash: context.getLineDash().length > 0,
  }));
  listen('fill', (context, path) => note(context, 'fill', {
    path: path instanceof Path2D ? path.places ?? [] : paths.get(context) ?? [], style: context.fillStyle,
    region: path instanceof Path2D,
  }));
"""
"""Keeps every path, dot and text drawn on a canvas, in CSS pixels, and the chart that the page says it has drawn."""

PLACES = """(points) => points.map(([time, price]) => {
  const [x, y] = [drawn.chart.timeScale().timeToCoordinate(time), drawn.price.priceToCoordinate(price)];
  return x === null || y === null ? null : [x, y];
})"""

Place = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One thing drawn: an arc has a place, a text its words, a path its corners."""

    kind: str
    at: Place = (0.0, 0.0)
    radius: float = 0.0
    text: str = ""
    path: tuple[Place, ...] = ()
    style: str = ""
    dash: bool = False
    region: bool = False
    wide: float = 0.0


async def marks(page: Page) -> list[Mark]:
    """Everything of the chart's next full drawing, once: it may be drawn in two frames."""
    await page.evaluate("strokes.length = 0; drawn.chart.applyOptions({})")
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found = await page.evaluate("strokes")
    return list(
        dict.fromkeys(
            Mark(**(one | {"at": tuple(one.get("at", (0.0, 0.0))), "path": tuple(map(tuple, one.get("path", ())))}))
            for one in found
        )
    )


async def until(page: Page, says: str) -> None:
    """Wait for something to be true in the page. (The browser's own waiting would break the security policy.)"""
    for _ in range(200):
        if await page.evaluate(says):
            return
        await asyncio.sleep(0.05)
    msg = f"It never came true that {says}."
    raise AssertionError(msg)


async def places(page: Page, points: Sequence[tuple[str, float]]) -> list[Place | None]:
    """Where the chart has a bar's time and a price."""
    found = await page.evaluate(PLACES, [list(point) for point in points])
    return [None if one is None else (one[0], one[1]) for one in found]


def near(one: Place, other: Place, *, px: float = 1.0) -> bool:
    """Within a pixel: the library draws on whole ones."""
    return abs(one[0] - other[0]) <= px and abs(one[1] - other[1]) <= px
