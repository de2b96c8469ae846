// A symbol's bars with what the bot computes from them, and where it traded.
import { Results } from "./primitives.js";
import { added, ask, bands, brief, lines, oscillators, restore } from "./chart_lines.js";
import { candlesticksAt, choose, drawCandlesticks, drawLevels, drawPatterns, fill, loadShapes, refreshShapes, tellShapes } from "./chart_shapes.js";
import {
  BARS_MAX, HistogramSeries, LineStyle, asking, at, base, candles, color, createChart, createSeriesMarkers, inTurn, json, lastPrice,
  lastUpTo, levelLine, quiet, refill, said,
} from "./chart_base.js";

export { keyboard } from "./chart_keys.js";
export { chooser } from "./chart_lines.js";

const NARROW = 560;
const SEEN = { wide: 110, narrow: 46 };
const ROOM = 22; // bars of room beside the newest one, for the names of levels
const EDGE = 60; // older bars are asked for when so few are left before the left edge
const PAUSE_MS = 5000; // after a failure, before they are asked for again
const TABLE_ROWS = 60;
const PRICES = /^(ema|bb|macd)_?/; // the chips' own lines that are measured in prices

const pressed = (key) => document.querySelector(`[data-layer="${key}"]`)?.getAttribute("aria-pressed") === "true";
const toBar = (b, daily) => ({
  time: at(b.opened_at, daily), starts: Date.parse(b.opened_at), ends: Date.parse(b.closed_at),
  open: b.open, high: b.high, low: b.low, close: b.close, volume: b.volume,
});

export async function load(el) {
  const data = { daily: el.dataset.interval === "1d", bars: [], lines: new Map(), shown: [], added: [], ...JSON.parse(el.dataset.marks) };
  const [bars, , shapes] = await Promise.all([json(el.dataset.src), ask(el, data), loadShapes(el, data, pressed("candles"))]);
  data.bars = bars.items.map((b) => toBar(b, data.daily)).sort((a, b) => (a.time < b.time ? -1 : 1));
  Object.assign(data, { shapes, next: bars.next });
  await restore(el, data);
  return data;
}

/** What a layer needs and was not asked for before. */
export async function prepare(el, data) {
  const lacks = () => pressed("candles") !== data.shapes.withCandles;
  if (lacks()) await inTurn(data, async () => { if (lacks()) data.shapes = await loadShapes(el, data, pressed("candles")); });
}

/** The bars before those shown, with all that is drawn over them, drawn at once. */
async function older(el, data) {
  const limit = Math.min(Number(new URL(el.dataset.src, location.href).searchParams.get("limit")), BARS_MAX - data.bars.length);
  if (!data.next || limit < 1) return;
  const [bars, , shapes] = await Promise.all([
    json(asking(el.dataset.src, { cursor: data.next, limit })), ask(el, data, { end: data.next, limit }, limit),
    loadShapes(el, data, pressed("candles"), data.bars.length + limit),
  ]);
  // No waiting from here on: the chart and the bars would count rows differently meanwhile.
  const first = data.bars[0]?.starts ?? Infinity;
  const fresh = bars.items.map((b) => toBar(b, data.daily)).filter((b) => b.starts < first).sort((a, b) => a.starts - b.starts);
  data.bars.unshift(...fresh);
  Object.assign(data, { shapes, next: bars.next });
  if (fresh.length) data.drawn.refill(fresh.length);
}

/** Says in the status line what became of older bars; what another said there since stays. */
function tellOlder(data, text) {
  const line = document.querySelector("[data-adder-says]");
  if (!line || (!text && line.textContent !== data.toldOlder)) return;
  Object.assign(line, { textContent: text, hidden: !text });
  data.toldOlder = text;
}

function volume(chart, data, parts) {
  const series = chart.addSeries(HistogramSeries, { ...quiet, priceScaleId: "vol", priceFormat: { type: "volume" } });
  const one = (b) => ({ time: b.time, value: b.volume, color: color(b.close >= b.open ? "gain" : "loss", 0.2) });
  const put = () => series.setData(data.bars.map(one));
  put();
  series.priceScale().applyOptions({ scaleMargins: { top: 0.89, bottom: 0 } });
  parts.push({ fill: put, grow: (_time, bar) => series.update(one(bar)) });
}

/** The bar within which something happened: a stop is hit between an opening and a close. */
function barAt(data, iso) {
  const when = Date.parse(iso);
  const bar = data.bars[lastUpTo(data.bars, "starts", when)];
  return bar && (bar !== data.bars.at(-1) || when <= bar.ends) ? bar : null;
}

function marks(price, data, parts, narrow, board = new Map()) {
  const p = data.position;
  if (p) {
    if (p.target !== null) levelLine(price, p.target, "gain", narrow ? "" : "target");
    levelLine(price, p.entry, "text-2", narrow ? "" : "entry", LineStyle.Solid);
    if (p.stop !== null) levelLine(price, p.stop, "loss", narrow ? "" : "stop");
  }
  const made = () => data.trades.map((t) => ({ t, bar: barAt(data, t.at) })).filter(({ bar }) => bar).map(({ t, bar }) => ({
    time: bar.time, bar, position: t.side === "buy" ? "belowBar" : "aboveBar", shape: t.side === "buy" ? "arrowUp" : "arrowDown",
    color: color(t.tone === "up" ? "gain" : t.tone === "down" ? "loss" : "text"), text: "", said: t.text, size: 1,
  })).sort((a, b) => (a.time < b.time ? -1 : 1));
  const arrows = createSeriesMarkers(price, made());
  const results = new Results([], color("surface", 0.8), board);
  if (!narrow) price.attachPrimitive(results);
  const put = () => {
    const now = made();
    arrows.setMarkers(now.map(({ bar: _bar, said: _said, ...mark }) => mark));
    results.items = now.filter((m) => m.said).map((m) => {
      const above = m.position === "aboveBar";
      return { time: m.time, price: m.bar[above ? "high" : "low"], above, text: m.said, style: m.color };
    });
  };
  put();
  parts.push({ fill: put, grow: () => {} });
}

/** Patterns and levels of what is in view; they change as the reader moves. */
function shapes(price, data, parts, { narrow, board }) {
  let gone = [];
  let drawn = "";
  const put = (range, anew = false) => {
    if (!range) return;
    choose(data, range);
    const { drawn: figures, levels } = data.shapes;
    const key = JSON.stringify([figures.map((p) => p.id), levels.map((l) => [l.price, l.role])]);
    if (key === drawn && !anew) return;
    drawn = key;
    for (const remove of gone) remove();
    gone = [...(pressed("levels") ? drawLevels(price, data, narrow) : []), ...(pressed("patterns") ? drawPatterns(price, data, board) : [])];
    tellShapes(data);
  };
  parts.push({ fill: (range) => put(range, true), grow: () => {} });
  return put;
}

export function draw(el, data) {
  const narrow = el.clientWidth < NARROW;
  const chart = createChart(el, base({ intraday: !data.daily }));
  const parts = []; // what is drawn: each can `grow` by a newer bar and `fill` itself anew when older ones came
  data.shown = [];
  const line = lines(chart, data, parts);
  if (data.hasVolume) volume(chart, data, parts);
  if (pressed("bb")) bands(line, data, parts);
  if (pressed("ema")) {
    line("ema_50", "c2", 0, { color: color("c2", 0.6) });
    line("ema_20", "c2");
  }
  const price = candles(chart, data.bars, data.precision);
  price.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: data.hasVolume ? 0.14 : 0.06 } });
  parts.push({ fill: () => refill(price, data.bars), grow: (_time, bar) => price.update({ ...bar }) });
  let tag = data.bars.length ? lastPrice(price, data.bars.at(-1).close) : null;
  const board = new Map(); // where names stand already
  const view = shapes(price, data, parts, { narrow, board });
  if (pressed("trades")) marks(price, data, parts, narrow, board);
  if (pressed("candles")) drawCandlesticks(price, data, parts);
  added(line, data, oscillators(chart, line, data, parts, pressed), narrow);
  chart.panes().forEach((p, i) => p.setStretchFactor(i === 0 ? 5.6 : 1));
  const count = data.bars.length;
  const start = { from: count - (narrow ? SEEN.narrow : SEEN.wide), to: count + (narrow ? 0 : pressed("levels") ? ROOM : 1) };
  chart.timeScale().setVisibleLogicalRange(start);
  view(start);
  tellLines(data);

  const show = readout(data, narrow);
  const byTime = new Map(data.bars.map((b) => [b.time, b]));
  chart.subscribeCrosshairMove(({ time, sourceEvent }) => {
    if (time === undefined || sourceEvent) show(byTime.get(time) ?? data.bars.at(-1)); // else the keys moved it, and say where
  });
  show(data.bars.at(-1));

  let isGone = false;
  /** Older bars before those shown: the view stays where it is, as the chart keeps its distance from the newest. */
  const extend = () => {
    if (data.asking || Date.now() < (data.again ?? 0)) return;
    data.asking = inTurn(data, () => older(el, data)).then(() => tellOlder(data, ""), (problem) => {
      data.again = Date.now() + PAUSE_MS;
      tellOlder(data, `Older bars could not be read: ${(problem.detail ?? problem.message).replace(/\.$/, "")}. Move the chart in ${PAUSE_MS / 1000} s to try again.`);
    }).finally(() => { data.asking = null; });
  };
  chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
    if (!range || isGone) return;
    if (range.from < EDGE && data.next && data.bars.length < BARS_MAX) extend();
    view(range);
  });

  data.drawn = {
    chart, price, show, data,
    remove() { isGone = true; chart.remove(); },
    refill(came) {
      for (const bar of data.bars) byTime.set(bar.time, bar);
      const { from, to } = chart.timeScale().getVisibleLogicalRange() ?? { from: -came, to: data.bars.length - came }; // a chart without a size
      for (const { fill: put } of parts) put({ from: from + came, to: to + came });
      tellLines(data);
    },
    /** Bars from the live stream, oldest first; their indicators are asked for. Says whether to draw anew. */
    update: (news) => inTurn(data, () => data.drawn.take(news)),
    async take({ bars, marks: now }) {
      const changed = JSON.stringify([data.trades, data.position]) !== JSON.stringify([now.trades, now.position]);
      Object.assign(data, now);
      const fresh = bars.map((raw) => toBar(raw, data.daily)).filter((bar) => !data.bars.length || bar.time >= data.bars.at(-1).time);
      if (!fresh.length) return changed;
      await ask(el, data, { limit: fresh.length + 1 }, fresh.length);
      if (isGone) return (await data.drawn.take({ bars, marks: now })) || changed; // a chip drew anew meanwhile
      for (const bar of fresh) {
        const last = data.bars.at(-1);
        if (last && bar.time < last.time) continue;
        if (last && bar.time === last.time) data.bars[data.bars.length - 1] = bar; else data.bars.push(bar);
        byTime.set(bar.time, bar);
        for (const { grow } of parts) grow(bar.time, bar);
      }
      if (tag) price.removePriceLine(tag);
      tag = lastPrice(price, data.bars.at(-1).close);
      show(data.bars.at(-1));
      tellLines(data);
      return (await refreshShapes(el, data)) || changed;
    },
  };
  el.dispatchEvent(new CustomEvent("chart:drawn", { bubbles: true, detail: data.drawn }));
  return data.drawn;
}

/** Lines and trades as rows of the tables, for those who cannot see a chart. */
function tellLines(data) {
  const prices = new Set(data.added.flatMap(({ columns }) => columns).filter(({ unit }) => unit === "price").map(({ name }) => name));
  const f = (name, v) => {
    if (v === undefined) return "";
    return (PRICES.test(name) || prices.has(name)) && Math.abs(v) >= 10 ** -data.precision ? v.toFixed(data.precision) : brief(v);
  };
  const head = document.querySelector('[data-heads="lines"]');
  head?.replaceChildren(...["Opened", ...data.shown].map((text, i) => Object.assign(document.createElement("th"), { scope: "col", className: i ? "num" : "", textContent: text })));
  fill("lines", data.bars.slice(-TABLE_ROWS).reverse().map((b) => [said(b.time), ...data.shown.map((name) => f(name, data.lines.get(name)?.get(b.time)))]));
  const trades = [...data.trades].sort((a, b) => Date.parse(b.at) - Date.parse(a.at)).slice(0, TABLE_ROWS);
  fill("trades", trades.map((t) => [said(data.daily ? t.at.slice(0, 10) : Date.parse(t.at) / 1000), t.side, t.price.toFixed(data.precision), t.text || "entry"]));
}

function readout(data, narrow) {
  const out = document.querySelector("[data-readout]");
  const big = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
  const names = candlesticksAt(data);
  const put = (label, value) => {
    const b = document.createElement("b");
    b.textContent = value;
    out.append(` ${label} `, b);
  };
  return (bar) => {
    if (!out) return;
    out.replaceChildren();
    if (!bar) return;
    const f = (v) => v.toFixed(data.precision);
    out.append(said(bar.time));
    if (narrow) { put("", f(bar.close)); return; }
    put("O", f(bar.open)); put("H", f(bar.high)); put("L", f(bar.low)); put("C", f(bar.close));
    if (data.hasVolume) put("Vol", big.format(bar.volume));
    for (const { columns } of data.added) {
      for (const { name, unit } of columns) {
        const value = data.lines.get(name)?.get(bar.time);
        if (value !== undefined) put(name, unit === "price" ? f(value) : brief(value));
      }
    }
    if (pressed("candles") && names.has(bar.time)) put("", names.get(bar.time).join(", "));
  };
}

/** The short chart on a decision's page: the bars around it, its entry and its guards. */
export async function loadOutcome(el) {
  const daily = el.dataset.interval === "1d";
  const { items } = await json(el.dataset.src);
  return { daily, bars: items.map((b) => toBar(b, daily)).sort((a, b) => (a.time < b.time ? -1 : 1)), ...JSON.parse(el.dataset.marks) };
}

export function drawOutcome(el, data) {
  const chart = createChart(el, base({ options: { rightPriceScale: { borderVisible: false, entireTextOnly: true, scaleMargins: { top: 0.08, bottom: 0.08 } } } }));
  const price = candles(chart, data.bars, data.precision);
  const p = data.position;
  if (p) {
    const all = [p.stop, p.target, p.entry, ...data.bars.map((b) => b.low), ...data.bars.map((b) => b.high)].filter((v) => v !== null);
    price.applyOptions({ autoscaleInfoProvider: () => ({ priceRange: { minValue: Math.min(...all), maxValue: Math.max(...all) } }) });
  }
  marks(price, data, [], true);
  chart.timeScale().fitContent();
  return { chart };
}
