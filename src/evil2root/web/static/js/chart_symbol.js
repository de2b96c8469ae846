// A symbol's bars with what the bot computes from them, and where it traded.
import { Band, Results } from "./primitives.js";
import { drawLevels, drawPatterns, loadShapes, refreshShapes, tellShapes } from "./chart_shapes.js";
import {
  HistogramSeries, LineSeries, LineStyle, at, base, candles, color, createChart, createSeriesMarkers, json, lastPrice,
  levelLine, quiet,
} from "./chart_base.js";

const NARROW = 560;
const SEEN = { wide: 110, narrow: 46 };
const ROOM = 22; // bars of room beside the newest one, for the names of levels

const pressed = (key) => document.querySelector(`[data-layer="${key}"]`)?.getAttribute("aria-pressed") === "true";
const toBar = (b, daily) => ({ time: at(b.opened_at, daily), open: b.open, high: b.high, low: b.low, close: b.close, volume: b.volume });

export async function load(el) {
  const daily = el.dataset.interval === "1d";
  const [bars, made, shapes] = await Promise.all([json(el.dataset.src), json(el.dataset.indicators), loadShapes(el)]);
  const data = { daily, shapes, bars: bars.items.map((b) => toBar(b, daily)), lines: new Map(), ...JSON.parse(el.dataset.marks) };
  data.bars.sort((a, b) => (a.time < b.time ? -1 : 1));
  keep(data, made);
  return data;
}

/** Indicator columns as points by name; a value that is not there yet leaves no point. */
function keep(data, made) {
  for (const [name, values] of Object.entries(made.columns)) {
    const points = data.lines.get(name) ?? new Map();
    values.forEach((value, i) => { if (value !== null) points.set(at(made.opened_at[i], data.daily), value); });
    data.lines.set(name, points);
  }
}

/** Up to the newest bar shown: in a fast replay the indicators, asked for later, can be ahead of it. */
function points(data, name) {
  const last = data.bars.at(-1)?.time;
  const known = [...(data.lines.get(name) ?? new Map())].filter(([time]) => time <= last);
  return known.map(([time, value]) => ({ time, value })).sort((a, b) => (a.time < b.time ? -1 : 1));
}

/** Adds a line for a column; every later point of it follows by `grow`. */
function lines(chart, data, grow) {
  return (name, token, pane = 0, more = {}) => {
    const series = chart.addSeries(LineSeries, { ...quiet, color: color(token), lineWidth: 1.5, ...more }, pane);
    series.setData(points(data, name));
    grow.push((time) => { const value = data.lines.get(name)?.get(time); if (value !== undefined) series.update({ time, value }); });
    return series;
  };
}

function volume(chart, data, grow) {
  const series = chart.addSeries(HistogramSeries, { ...quiet, priceScaleId: "vol", priceFormat: { type: "volume" } });
  const one = (b) => ({ time: b.time, value: b.volume, color: color(b.close >= b.open ? "gain" : "loss", 0.2) });
  series.setData(data.bars.map(one));
  series.priceScale().applyOptions({ scaleMargins: { top: 0.89, bottom: 0 } });
  grow.push((_time, bar) => series.update(one(bar)));
}

function bands(line, data, grow) {
  const edge = { color: color("c3", 0.4), lineWidth: 1, autoscaleInfoProvider: () => null };
  const up = line("bb_upper", "c3", 0, edge);
  line("bb_lower", "c3", 0, edge);
  const [high, low] = [data.lines.get("bb_upper") ?? new Map(), data.lines.get("bb_lower") ?? new Map()];
  const rows = points(data, "bb_upper").filter((p) => low.has(p.time)).map((p) => ({ time: p.time, hi: p.value, lo: low.get(p.time) }));
  up.attachPrimitive(new Band(rows, color("c3", 0.05)));
  grow.push((time) => {
    if (!high.has(time) || !low.has(time)) return;
    if (rows.at(-1)?.time === time) rows.pop();
    rows.push({ time, hi: high.get(time), lo: low.get(time) });
  });
}

function marks(price, data, narrow, board = new Map()) {
  const p = data.position;
  if (p) {
    if (p.target !== null) levelLine(price, p.target, "gain", narrow ? "" : "target");
    levelLine(price, p.entry, "text-2", narrow ? "" : "entry", LineStyle.Solid);
    if (p.stop !== null) levelLine(price, p.stop, "loss", narrow ? "" : "stop");
  }
  const shown = new Set(data.bars.map((b) => b.time));
  const made = data.trades.map((t) => ({
    time: at(t.at, data.daily), position: t.side === "buy" ? "belowBar" : "aboveBar", shape: t.side === "buy" ? "arrowUp" : "arrowDown",
    color: color(t.tone === "up" ? "gain" : t.tone === "down" ? "loss" : "text"), text: "", said: t.text, size: 1,
  })).filter((m) => shown.has(m.time)).sort((a, b) => (a.time < b.time ? -1 : 1));
  createSeriesMarkers(price, made);
  if (narrow) return;
  const bars = new Map(data.bars.map((b) => [b.time, b]));
  const results = made.filter((m) => m.said).map((m) => {
    const above = m.position === "aboveBar";
    return { time: m.time, price: bars.get(m.time)[above ? "high" : "low"], above, text: m.said, style: m.color };
  });
  price.attachPrimitive(new Results(results, color("surface", 0.8), board));
}

function oscillators(chart, line, data, grow) {
  let pane = 1;
  if (pressed("rsi")) {
    const rsi = line("rsi_14", "c3", pane, {
      lastValueVisible: true, priceFormat: { type: "custom", formatter: (v) => v.toFixed(0), minMove: 1 },
      autoscaleInfoProvider: () => ({ priceRange: { minValue: 20, maxValue: 80 } }),
    });
    for (const value of [30, 70]) rsi.createPriceLine({ price: value, color: color("line-strong"), lineWidth: 1, lineStyle: LineStyle.Dotted, axisLabelVisible: false, title: "" });
    pane += 1;
  }
  if (pressed("macd")) {
    const format = { type: "price", precision: data.precision > 3 ? 4 : 1, minMove: data.precision > 3 ? 1e-4 : 0.1 };
    const hist = chart.addSeries(HistogramSeries, { ...quiet, priceFormat: format }, pane);
    const one = (p) => ({ ...p, color: color(p.value >= 0 ? "gain" : "loss", 0.5) });
    hist.setData(points(data, "macd_hist").map(one));
    grow.push((time) => { const value = data.lines.get("macd_hist")?.get(time); if (value !== undefined) hist.update(one({ time, value })); });
    line("macd", "c3", pane, { priceFormat: format });
    line("macd_signal", "c2", pane, { priceFormat: format });
  }
}

export function draw(el, data) {
  const narrow = el.clientWidth < NARROW;
  const chart = createChart(el, base({ intraday: !data.daily }));
  const grow = [];
  const line = lines(chart, data, grow);
  if (data.hasVolume) volume(chart, data, grow);
  if (pressed("bb")) bands(line, data, grow);
  if (pressed("ema")) {
    line("ema_50", "c2", 0, { color: color("c2", 0.6) });
    line("ema_20", "c2");
  }
  const price = candles(chart, data.bars, data.precision);
  price.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: data.hasVolume ? 0.14 : 0.06 } });
  let tag = data.bars.length ? lastPrice(price, data.bars.at(-1).close) : null;
  if (pressed("levels")) drawLevels(price, data, narrow);
  tellShapes(data);
  const board = new Map(); // where names stand already
  if (pressed("patterns")) drawPatterns(price, data, board);
  if (pressed("trades")) marks(price, data, narrow, board);
  oscillators(chart, line, data, grow);
  chart.panes().forEach((p, i) => p.setStretchFactor(i === 0 ? 5.6 : 1));
  const count = data.bars.length;
  chart.timeScale().setVisibleLogicalRange({ from: count - (narrow ? SEEN.narrow : SEEN.wide), to: count + (narrow ? 0 : pressed("levels") ? ROOM : 1) });

  const show = readout(data, narrow);
  const byTime = new Map(data.bars.map((b) => [b.time, b]));
  chart.subscribeCrosshairMove(({ time }) => show(byTime.get(time) ?? data.bars.at(-1)));
  show(data.bars.at(-1));

  return {
    chart, price, show,
    /** Bars from the live stream, oldest first; their indicators are asked for. Says whether to draw anew. */
    async update({ bars, marks: now }) {
      const changed = JSON.stringify([data.trades, data.position]) !== JSON.stringify([now.trades, now.position]);
      Object.assign(data, now);
      const fresh = bars.map((raw) => toBar(raw, data.daily)).filter((bar) => !data.bars.length || bar.time >= data.bars.at(-1).time);
      if (!fresh.length) return changed;
      keep(data, await json(el.dataset.indicators.replace(/limit=\d+/, `limit=${fresh.length + 1}`)));
      for (const bar of fresh) {
        const last = data.bars.at(-1);
        if (last && bar.time < last.time) continue;
        if (last && bar.time === last.time) data.bars[data.bars.length - 1] = bar; else data.bars.push(bar);
        byTime.set(bar.time, bar);
        price.update({ ...bar });
        for (const add of grow) add(bar.time, bar);
      }
      if (tag) price.removePriceLine(tag);
      tag = lastPrice(price, data.bars.at(-1).close);
      show(data.bars.at(-1));
      return (await refreshShapes(el, data)) || changed;
    },
  };
}

function readout(data, narrow) {
  const out = document.querySelector("[data-readout]");
  const big = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
  const put = (label, value) => {
    const b = document.createElement("b");
    b.textContent = value;
    out.append(` ${label} `, b);
  };
  return (bar) => {
    if (!out) return;
    out.replaceChildren();
    if (!bar) return;
    const when = typeof bar.time === "number" ? new Date(bar.time * 1000).toISOString().slice(0, 16).replace("T", " ") : bar.time;
    const f = (v) => v.toFixed(data.precision);
    out.append(when);
    if (narrow) { put("", f(bar.close)); return; }
    put("O", f(bar.open)); put("H", f(bar.high)); put("L", f(bar.low)); put("C", f(bar.close));
    if (data.hasVolume) put("Vol", big.format(bar.volume));
  };
}

/** Arrow keys walk the bars, plus and minus zoom; each step is announced politely. */
export function keyboard(el, current) {
  const live = Object.assign(document.createElement("p"), { className: "sr", ariaLive: "polite" });
  el.after(live);
  let place = null;
  el.addEventListener("keydown", (event) => {
    const { drawn, data } = current();
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -21, PageDown: 21 }[event.key];
    if (step && data.bars.length) {
      event.preventDefault();
      place = Math.max(0, Math.min(data.bars.length - 1, (place ?? data.bars.length - 1) + step));
      const b = data.bars[place];
      drawn.chart.setCrosshairPosition(b.close, b.time, drawn.price);
      drawn.show(b);
      live.textContent = `${b.time}: open ${b.open}, high ${b.high}, low ${b.low}, close ${b.close}`;
    }
    const zoom = { "+": 0.8, "=": 0.8, "-": 1.25 }[event.key];
    if (zoom) {
      const r = drawn.chart.timeScale().getVisibleLogicalRange();
      if (r) drawn.chart.timeScale().setVisibleLogicalRange({ from: r.to - (r.to - r.from) * zoom, to: r.to });
    }
  });
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
  marks(price, data, true);
  chart.timeScale().fitContent();
  return { chart };
}
