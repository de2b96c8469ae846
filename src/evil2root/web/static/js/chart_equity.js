// The equity curve against buy and hold, with the drawdown below.
import { AreaSeries, HistogramSeries, LineSeries, LineStyle, at, base, color, createChart, json, minus, quiet } from "./chart_base.js";

const money = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const DAYS = { "1W": 7, "1M": 31, "3M": 92, "1Y": 366 };

const row = (point, daily) => ({
  time: at(point.at, daily),
  equity: Number(point.equity),
  benchmark: point.benchmark === null ? null : Number(point.benchmark),
  drawdown: -Math.abs(Number(point.drawdown)) * 100,
});

/** One point a time: a day's last one wins. */
function distinct(rows) {
  const byTime = new Map(rows.map((r) => [r.time, r]));
  return [...byTime.values()].sort((a, b) => (a.time < b.time ? -1 : 1));
}

export async function load(el) {
  const { items } = await json(el.dataset.src);
  const stamps = items.map((p) => Date.parse(p.at));
  const daily = stamps.every((t, i) => i === 0 || t - stamps[i - 1] > 3 * 3600e3);
  return { daily, rows: distinct(items.map((p) => row(p, daily))) };
}

export function draw(el, data) {
  const format = { type: "custom", formatter: (v) => money.format(v), minMove: 1 };
  const chart = createChart(el, base({ intraday: !data.daily }));
  const bench = chart.addSeries(LineSeries, { ...quiet, priceFormat: format, color: color("c-mute"), lineWidth: 1, lineStyle: LineStyle.Dashed });
  const line = chart.addSeries(AreaSeries, {
    lineColor: color("c1"), lineWidth: 2, topColor: color("c1", 0.22), bottomColor: color("c1", 0),
    priceLineVisible: false, lastValueVisible: false, crosshairMarkerRadius: 3, priceFormat: format,
  });
  const fall = chart.addSeries(HistogramSeries, {
    ...quiet, color: color("loss", 0.55), priceFormat: { type: "custom", formatter: (v) => minus(`${v.toFixed(0)}%`), minMove: 0.01 },
  }, 1);
  bench.setData(data.rows.filter((r) => r.benchmark !== null).map((r) => ({ time: r.time, value: r.benchmark })));
  line.setData(data.rows.map((r) => ({ time: r.time, value: r.equity })));
  fall.setData(data.rows.map((r) => ({ time: r.time, value: r.drawdown })));
  const [top, bottom] = chart.panes();
  top.setStretchFactor(4.2);
  bottom.setStretchFactor(1);
  fall.priceScale().applyOptions({ scaleMargins: { top: 0.02, bottom: 0.1 }, entireTextOnly: true });
  line.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.06 }, entireTextOnly: true });

  const period = () => document.querySelector('#equity-periods [aria-pressed="true"]')?.dataset.range ?? "All";
  const show = () => {
    const days = DAYS[period()];
    const last = data.rows.at(-1);
    if (!days || !last) { chart.timeScale().fitContent(); return; }
    const end = typeof last.time === "number" ? last.time * 1000 : Date.parse(last.time);
    const start = end - days * 864e5;
    const from = data.rows.findIndex((r) => (typeof r.time === "number" ? r.time * 1000 : Date.parse(r.time)) >= start);
    chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, from), to: data.rows.length });
  };
  show();

  return {
    chart,
    period: show,
    /** Points from the live stream, oldest first. */
    update(points) {
      for (const point of points) {
        const fresh = row(point, data.daily);
        const last = data.rows.at(-1);
        if (last && fresh.time < last.time) continue;
        if (last && fresh.time === last.time) data.rows[data.rows.length - 1] = fresh; else data.rows.push(fresh);
        line.update({ time: fresh.time, value: fresh.equity });
        if (fresh.benchmark !== null) bench.update({ time: fresh.time, value: fresh.benchmark });
        fall.update({ time: fresh.time, value: fresh.drawdown });
      }
      if (period() === "All") chart.timeScale().fitContent();
    },
  };
}
