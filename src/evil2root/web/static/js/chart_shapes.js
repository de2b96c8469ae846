// Chart patterns through their very points, and levels by strength, over a symbol's bars.
import { BARS_MAX, LineStyle, asking, at, color, createSeriesMarkers, json, lastUpTo } from "./chart_base.js";
import { Labels, Path } from "./primitives.js";

const PATTERNS_MAX = 6; // the newest in view: more would cover the bars
const LEVELS_MAX = 6; // the strongest near the prices in view
const APART = 0.045; // of the height of the prices in view: a label's height
const BEYOND = 0.05; // of the same height: a level just outside is near, too
const FRESH_MS = 5000; // how long an answer is good enough while bars stream in

const CANDLESTICK = /^CDL/;
const BETWEEN_LINES = /triangle|wedge|channel|rectangle/;
const WITH_A_POLE = /^(flag|pennant)$/;

/** Every pattern and level of so many bars; candlesticks, of which there are many, only when they are wanted. */
export async function loadShapes(el, data, candles, bars = data.bars.length) {
  const limit = Math.max(Math.min(bars, BARS_MAX), Number(new URL(el.dataset.patterns, location.href).searchParams.get("limit")));
  const [patterns, levels] = await Promise.all([
    json(asking(el.dataset.patterns, { limit, ...(candles ? { candles: "true" } : {}) })), json(el.dataset.levels),
  ]);
  const made = { found: patterns.items.filter((p) => !CANDLESTICK.test(p.kind)), near: levels.items, asked: Date.now() };
  return { ...made, candles: patterns.items.filter((p) => CANDLESTICK.test(p.kind)), withCandles: candles, drawn: [], patterns: [], levels: [] };
}

/** Asks again when the last answer is old; says whether anything differs. */
export async function refreshShapes(el, data) {
  if (Date.now() - data.shapes.asked < FRESH_MS) return false;
  const all = ({ found, near, candles }) => JSON.stringify([found, near, candles]);
  const before = all(data.shapes);
  data.shapes = await loadShapes(el, data, data.shapes.withCandles);
  return before !== all(data.shapes);
}

const words = (kind) => kind.replaceAll("_", " ");

/** The bar whose close confirmed a pattern. A close can be the next bar's opening, so openings don't tell. */
const confirming = (data, pattern) => data.bars[lastUpTo(data.bars, "ends", Date.parse(pattern.confirmed_at))];

/** What is worth drawing among the bars in view, by `from` and `to` as the chart counts them. */
export function choose(data, { from, to }) {
  const seen = data.bars.slice(Math.max(0, Math.floor(from)), Math.max(1, Math.ceil(to) + 1));
  if (!seen.length) return;
  const [first, last] = [seen[0].time, seen.at(-1).time];
  const inView = data.shapes.found.filter((p) => at(p.points[0].time, data.daily) <= last && (confirming(data, p)?.time ?? last) >= first);
  data.shapes.drawn = inView.slice(0, PATTERNS_MAX);
  // The table tells as many wherever the reader looks: those drawn, and the newest besides.
  const told = [...new Set([...data.shapes.drawn, ...data.shapes.found])].slice(0, PATTERNS_MAX);
  data.shapes.patterns = data.shapes.found.filter((p) => told.includes(p));
  const [low, high] = [Math.min(...seen.map((b) => b.low)), Math.max(...seen.map((b) => b.high))];
  const height = high - low;
  const kept = [];
  for (const level of data.shapes.near) { // the strongest first
    if (kept.length === LEVELS_MAX) break;
    const isNear = level.price >= low - BEYOND * height && level.price <= high + BEYOND * height;
    if (isNear && kept.every((other) => Math.abs(other.price - level.price) >= APART * height)) kept.push(level);
  }
  data.shapes.levels = kept;
}

/** Straight lines through the turns of each side, from the first turn on; `dashed` from the last turn to the confirming bar. */
function edges(data, points, end) {
  const place = new Map(data.bars.map((bar, i) => [bar.time, i]));
  const rows = points.map(([time, price]) => [place.get(time), price]);
  const [start, last] = [rows[0][0], rows.at(-1)[0]];
  const isHigh = (i) => (i % 2 === 0) === (points[0][1] > points[1][1]);
  const [upper, lower] = [true, false].map((high) => through(rows.filter((_, i) => isHigh(i) === high)));
  const crossing = lower.slope > upper.slope ? (upper.at(0) - lower.at(0)) / (lower.slope - upper.slope) : Infinity;
  const until = Math.min(place.get(end) ?? last, Math.floor(crossing));
  const piece = (line, from, to) => [from, to].map((row) => [data.bars[row].time, line.at(row)]);
  const both = [upper, lower];
  return { solid: both.map((line) => piece(line, start, last)), dashed: until > last ? both.map((line) => piece(line, last, until)) : [] };
}

/** The least-squares line of two places or more, as the detection draws it. */
function through(places) {
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const [x, y] = [mean(places.map(([row]) => row)), mean(places.map(([, price]) => price))];
  const slope = places.reduce((so, [row, price]) => so + (row - x) * (price - y), 0) / places.reduce((so, [row]) => so + (row - x) ** 2, 0);
  return { slope, at: (row) => y + slope * (row - x) };
}

/** The lines of a pattern: between two edges where it has them, else from turn to turn and on to its breakout. */
function strokes(data, pattern, points) {
  const end = confirming(data, pattern)?.time;
  const shown = new Set(data.bars.map((bar) => bar.time));
  if (points.some(([time]) => !shown.has(time))) return { solid: [], dashed: [] };
  if (BETWEEN_LINES.test(pattern.kind)) return edges(data, points, end);
  if (WITH_A_POLE.test(pattern.kind)) {
    const { solid, dashed } = edges(data, points.slice(1), end);
    return { solid: [points.slice(0, 2), ...solid], dashed };
  }
  return { solid: [points], dashed: end === undefined ? [] : [[points.at(-1), [end, pattern.breakout]]] };
}

export function drawPatterns(series, data, board) {
  return data.shapes.drawn.map((pattern) => {
    const points = pattern.points.map((p) => [at(p.time, data.daily), p.price]);
    const token = pattern.direction === "up" ? "gain" : "loss";
    const path = new Path({
      points, ...strokes(data, pattern, points), style: color("accent", 0.9), dots: color(token),
      text: `${words(pattern.kind)} ${pattern.direction === "up" ? "↑" : "↓"}`, color: color("text-2"), ground: color("surface", 0.8), board,
    });
    series.attachPrimitive(path);
    return () => { series.detachPrimitive(path); board.delete(path); };
  });
}

/** The stronger a level, the more solid its line. */
export function drawLevels(series, data, narrow) {
  const lines = data.shapes.levels.map((level) => series.createPriceLine({
    price: level.price, color: color(tokenOf(level), 0.25 + 0.6 * level.strength), lineWidth: 1,
    lineStyle: LineStyle.SparseDotted, title: "",
    axisLabelVisible: narrow, axisLabelColor: color("surface"), axisLabelTextColor: color(tokenOf(level)), // a phone has no room for names
  }));
  const gone = lines.map((line) => () => series.removePriceLine(line));
  if (narrow || !data.bars.length) return gone;
  const items = data.shapes.levels.map((level) => ({ price: level.price, text: `${level.role} ${level.price.toFixed(data.precision)}`, style: color(tokenOf(level)) }));
  const labels = new Labels(items, data.bars.at(-1).time, color("surface", 0.8));
  series.attachPrimitive(labels);
  return [...gone, () => series.detachPrimitive(labels)];
}

const tokenOf = (level) => (level.role === "support" ? "gain" : "loss");

/** Names of the candlesticks that a bar completed, as the readout says them. */
export function candlesticksAt(data) {
  const names = new Map();
  for (const { kind, direction, points } of data.shapes.candles) {
    const time = at(points[0].time, data.daily);
    names.set(time, [...(names.get(time) ?? []), `${kind.slice(3).toLowerCase()} ${direction === "up" ? "↑" : "↓"}`]);
  }
  return names;
}

/** A dot below a bar that completed a bullish candlestick, above one that completed a bearish one. */
export function drawCandlesticks(series, data, parts) {
  const dots = () => {
    const shown = new Set(data.bars.map((bar) => bar.time));
    const made = new Map();
    for (const { direction, points } of data.shapes.candles) {
      const [time, up] = [at(points[0].time, data.daily), direction === "up"];
      if (shown.has(time)) made.set(`${time} ${direction}`, { time, position: up ? "belowBar" : "aboveBar", shape: "circle", size: 0.35, color: color(up ? "gain" : "loss", 0.8) });
    }
    return [...made.values()].sort((a, b) => (a.time < b.time ? -1 : 1));
  };
  const drawn = createSeriesMarkers(series, dots());
  parts.push({ fill: () => drawn.setMarkers(dots()), grow: () => {} });
}

/** The same as rows of the table, for those who cannot see a chart. */
export function tellShapes(data) {
  const f = (v) => v.toFixed(data.precision);
  fill("levels", data.shapes.levels.map((l) => [l.role, f(l.price), l.touches, l.strength.toFixed(2)]));
  const day = (time) => (data.daily ? time.slice(0, 10) : time.slice(0, 16).replace("T", " "));
  fill("patterns", data.shapes.patterns.map((p) => [
    words(p.kind), p.direction, p.points.map((q) => `${day(q.time)} at ${f(q.price)}`), [day(p.confirmed_at)],
    f(p.breakout), f(p.target), f(p.invalidation), p.quality.toFixed(2), recordWords(p.record),
  ]));
}

/** How its kind ended on all watched symbols, beside what a price without drift would have done. */
function recordWords(r) {
  if (r.share === null) return "none has ended yet";
  const percent = (v) => `${Math.round(100 * v)}`;
  const on = `${r.symbols} ${r.symbols === 1 ? "symbol" : "symbols"}`;
  return `reached ${percent(r.share)} % of ${r.reached + r.failed} on ${on}, by chance ${percent(r.chance)} %; interval ${percent(r.low)} to ${percent(r.high)} %`;
}

/** Each on a line of its own if need be, never broken inside. */
function unbroken(parts) {
  return parts.flatMap((part, i) => {
    const span = document.createElement("span");
    span.textContent = part;
    return i ? [", ", span] : [span];
  });
}

/** Rows of a table of the page; numbers stand right. */
export function fill(name, rows) {
  const body = document.querySelector(`[data-rows="${name}"]`);
  if (!body) return;
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((value, i) => {
      const cell = document.createElement(i ? "td" : "th");
      if (!i) cell.scope = "row";
      if (i && /^[0-9.]+$/.test(value)) cell.className = "num";
      if (Array.isArray(value)) cell.append(...unbroken(value));
      else cell.textContent = value;
      return cell;
    }));
    return row;
  }));
}
