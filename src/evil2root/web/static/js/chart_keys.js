// The chart by keyboard, and what a screen reader hears of it.
import { lastUpTo, said } from "./chart_base.js";
import { candlesticksAt } from "./chart_shapes.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -21, PageDown: 21, Home: -Infinity, End: Infinity };
const ZOOMS = { "+": 0.8, "=": 0.8, "-": 1.25 };
const MARGIN = 0.1; // of the bars in view: as near as the walked bar comes to an edge

/** Scrolls along when a bar is out of view, so that it is well inside. */
function follow(scale, place) {
  const range = scale.getVisibleLogicalRange();
  if (!range) return;
  const margin = (range.to - range.from) * MARGIN;
  let shift = 0;
  if (place < range.from + margin) shift = place - range.from - margin;
  if (place > range.to - margin) shift = place - range.to + margin;
  if (shift) scale.setVisibleLogicalRange({ from: range.from + shift, to: range.to + shift });
}

/** Arrow keys walk the bars, plus and minus zoom; each step is announced politely. */
export function keyboard(el, current) {
  const live = Object.assign(document.createElement("p"), { className: "sr", ariaLive: "polite" });
  el.after(live);
  let at = null; // the time of the bar stood on: its place changes when older bars come
  el.addEventListener("keydown", (event) => {
    const { drawn, data } = current();
    const step = STEPS[event.key];
    if (step && data.bars.length) {
      event.preventDefault();
      const newest = data.bars.length - 1;
      const stood = at === null ? newest : lastUpTo(data.bars, "time", at);
      const place = Math.max(0, Math.min(newest, stood + step));
      const b = data.bars[place];
      at = b.time;
      follow(drawn.chart.timeScale(), place);
      // The scale moves with the next frame; a crosshair set before it would stay behind.
      requestAnimationFrame(() => { if (current().drawn === drawn) drawn.chart.setCrosshairPosition(b.close, b.time, drawn.price); });
      drawn.show(b);
      const [f, names] = [(v) => v.toFixed(data.precision), candlesticksAt(data).get(b.time) ?? []];
      live.textContent = `${said(b.time)}: open ${f(b.open)}, high ${f(b.high)}, low ${f(b.low)}, close ${f(b.close)}${names.map((name) => `, ${name.replace("↑", "bullish").replace("↓", "bearish")}`).join("")}`;
    }
    const zoom = ZOOMS[event.key];
    if (zoom) {
      const r = drawn.chart.timeScale().getVisibleLogicalRange();
      if (r) drawn.chart.timeScale().setVisibleLogicalRange({ from: r.to - (r.to - r.from) * zoom, to: r.to });
    }
  });
}
