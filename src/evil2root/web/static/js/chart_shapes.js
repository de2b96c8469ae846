// Chart patterns through their very points, and levels by strength, over a symbol's bars.
import { LineStyle, at, color, json } from "./chart_base.js";
import { Labels, Path } from "./primitives.js";

const PATTERNS_MAX = 6; // the newest: more would cover the bars
const LEVELS_MAX = 6; // the strongest
const FRESH_MS = 5000; // how long an answer is good enough while bars stream in

export async function loadShapes(el) {
  const [patterns, levels] = await Promise.all([json(el.dataset.patterns), json(el.dataset.levels)]);
  return { patterns: patterns.items.slice(0, PATTERNS_MAX), levels: levels.items.slice(0, LEVELS_MAX), asked: Date.now() };
}

/** Asks again when the last answer is old; says whether anything differs. */
export async function refreshShapes(el, data) {
  if (Date.now() - data.shapes.asked < FRESH_MS) return false;
  const before = JSON.stringify([data.shapes.patterns, data.shapes.levels]);
  data.shapes = await loadShapes(el);
  return before !== JSON.stringify([data.shapes.patterns, data.shapes.levels]);
}

const words = (kind) => kind.replaceAll("_", " ");

export function drawPatterns(series, data, board) {
  for (const pattern of data.shapes.patterns) {
    const points = pattern.points.map((p) => [at(p.time, data.daily), p.price]);
    const end = at(pattern.confirmed_at, data.daily);
    const token = pattern.direction === "up" ? "gain" : "loss";
    series.attachPrimitive(new Path({
      points, style: color("accent", 0.9), dots: color(token),
      guide: [points.at(-1), [data.bars.findLast((b) => b.time <= end)?.time ?? points.at(-1)[0], pattern.breakout]],
      text: `${words(pattern.kind)} ${pattern.direction === "up" ? "↑" : "↓"}`, color: color("text-2"), ground: color("surface", 0.8), board,
    }));
  }
}

/** The stronger a level, the more solid its line. */
export function drawLevels(series, data, narrow) {
  for (const level of data.shapes.levels) {
    series.createPriceLine({
      price: level.price, color: color(tokenOf(level), 0.25 + 0.6 * level.strength), lineWidth: 1,
      lineStyle: LineStyle.SparseDotted, axisLabelVisible: false, title: "",
    });
  }
  if (narrow || !data.bars.length) return;
  const items = data.shapes.levels.map((level) => ({ price: level.price, text: levelWords(level), style: color(tokenOf(level)) }));
  series.attachPrimitive(new Labels(items, data.bars.at(-1).time, color("surface", 0.8)));
}

const tokenOf = (level) => (level.role === "support" ? "gain" : "loss");
const levelWords = (level) => level.role + (level.touches ? `, ${level.touches} ${level.touches === 1 ? "touch" : "touches"}` : "");

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

function fill(name, rows) {
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
