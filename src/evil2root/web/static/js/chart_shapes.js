// Chart patterns through their very points, and levels by strength, over a symbol's bars.
import { LineStyle, at, color, json } from "./chart_base.js";
import { Label, Path } from "./primitives.js";

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

export function drawPatterns(series, data) {
  for (const pattern of data.shapes.patterns) {
    const points = pattern.points.map((p) => [at(p.time, data.daily), p.price]);
    const end = at(pattern.confirmed_at, data.daily);
    const token = pattern.direction === "up" ? "gain" : "loss";
    series.attachPrimitive(new Path({
      points, style: color("accent", 0.9), dots: color(token),
      guide: [points.at(-1), [data.bars.findLast((b) => b.time <= end)?.time ?? points.at(-1)[0], pattern.breakout]],
      text: `${words(pattern.kind)} ${pattern.direction === "up" ? "↑" : "↓"}`, color: color("text-2"), ground: color("surface", 0.8),
    }));
  }
}

/** The stronger a level, the more solid its line. */
export function drawLevels(series, data) {
  for (const level of data.shapes.levels) {
    const token = level.role === "support" ? "gain" : "loss";
    series.createPriceLine({
      price: level.price, color: color(token, 0.25 + 0.6 * level.strength), lineWidth: 1,
      lineStyle: LineStyle.SparseDotted, axisLabelVisible: false, title: "",
    });
    const touched = level.touches ? `, ${level.touches} touches` : "";
    series.attachPrimitive(new Label(level.price, `${level.role}${touched}`, color(token), color("surface", 0.8)));
  }
}
