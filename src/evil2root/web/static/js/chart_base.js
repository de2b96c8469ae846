// What all charts share: the library, colours from the design tokens, and how the API writes time.
import {
  AreaSeries, CandlestickSeries, ColorType, CrosshairMode, HistogramSeries, LineSeries, LineStyle,
  createChart, createSeriesMarkers,
} from "../vendor/lightweight-charts.standalone.production.mjs";

export { AreaSeries, CandlestickSeries, HistogramSeries, LineSeries, LineStyle, createChart, createSeriesMarkers };

export const BARS_MAX = 5000; // the API's own limit, and what stays fluid

const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);

const asked = new Map(); // a chart asks for the colour of each bar, and each answer costs the browser a layout

/** A token as [r, g, b]; light-dark() is resolved by the browser. */
function rgb(token) {
  if (!asked.has(token)) {
    probe.style.setProperty("color", `var(--${token})`);
    asked.set(token, getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number));
  }
  return asked.get(token);
}
export const color = (token, alpha = 1) => `rgba(${rgb(token).join(",")},${alpha})`;

export const quiet = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false };

/** A new chart's options; the theme may be another than that of the last one. */
export function base(extra = {}) {
  asked.clear();
  return {
    autoSize: true,
    layout: {
      background: { type: ColorType.Solid, color: "transparent" }, textColor: color("text-3"), fontSize: 11,
      fontFamily: "Inter, system-ui, sans-serif", attributionLogo: false,
      panes: { separatorColor: color("line"), separatorHoverColor: color("accent", 0.2), enableResize: true },
    },
    grid: { vertLines: { visible: false }, horzLines: { color: color("line", 0.55) } },
    rightPriceScale: { borderVisible: false, entireTextOnly: true },
    timeScale: { borderVisible: false, rightOffset: 2, minBarSpacing: 0.2, timeVisible: extra.intraday ?? false },
    crosshair: {
      mode: CrosshairMode.Magnet,
      vertLine: { color: color("text-3", 0.6), labelBackgroundColor: color("line-strong") },
      horzLine: { color: color("text-3", 0.6), labelBackgroundColor: color("line-strong") },
    },
    // On touch the page keeps vertical scrolling; the chart takes horizontal drags.
    handleScroll: { mouseWheel: false, vertTouchDrag: false, horzTouchDrag: true, pressedMouseMove: true },
    handleScale: { mouseWheel: false, pinch: true },
    ...extra.options,
  };
}

/** How prices of an instrument are written: on its axis, and so by every line on it. */
export const priceFormat = (precision) => ({ type: "price", precision, minMove: 10 ** -precision });

/** A bar's time as the axis and the readout write it. */
export const said = (time) => (typeof time === "number" ? new Date(time * 1000).toISOString().slice(0, 16).replace("T", " ") : time);

/** RFC 3339 as the library wants it: a date for daily bars, seconds for shorter ones. */
export const at = (iso, daily) => (daily ? iso.slice(0, 10) : Math.floor(Date.parse(iso) / 1000));

/** The last of some rows in order whose `key` is not beyond `value`: halving, as charts of 5,000 bars ask it with every frame. */
export function lastUpTo(rows, key, value) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle][key] <= value) low = middle + 1; else high = middle;
  }
  return low - 1;
}

/** Work on a chart's data, one after the other: of two answers on their way, the later would take away what the earlier brought. */
export function inTurn(data, work) {
  const turn = (data.turn ?? Promise.resolve()).then(work);
  data.turn = turn.catch(() => {}); // whoever asked hears of it
  return turn;
}

export const minus = (text) => text.replace("-", "−");

/** The JSON behind an address of our own API; a failure says which one, and carries what the API says is wrong. */
export async function json(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(`${answer.status} from ${url}`), { detail: problem.detail });
}

/** An address with some of its questions set anew. */
export function asking(url, changes) {
  const address = new URL(url, location.href);
  for (const [name, value] of Object.entries(changes)) {
    address.searchParams.delete(name);
    for (const one of [value].flat()) address.searchParams.append(name, one);
  }
  return address.pathname + address.search;
}

export function levelLine(series, price, token, title, style = LineStyle.Dashed) {
  return series.createPriceLine({
    price, color: color(token, 0.75), lineWidth: 1, lineStyle: style, axisLabelVisible: true,
    axisLabelColor: color(token), axisLabelTextColor: color("surface"), title,
  });
}

/** Rising bars are hollow and falling bars are solid: the shape tells them apart without colour. */
export function candles(chart, bars, precision) {
  const series = chart.addSeries(CandlestickSeries, {
    upColor: color("surface"), borderUpColor: color("gain"), wickUpColor: color("gain"),
    downColor: color("loss"), borderDownColor: color("loss"), wickDownColor: color("loss"),
    priceLineVisible: false, lastValueVisible: false,
    priceFormat: priceFormat(precision),
  });
  refill(series, bars);
  return series;
}

/** The library rewrites the times of what it is given, so it gets copies. */
export const refill = (series, bars) => series.setData(bars.map((bar) => ({ ...bar })));

export function lastPrice(series, price) {
  return series.createPriceLine({
    price, lineVisible: false, axisLabelVisible: true, axisLabelColor: color("text"),
    axisLabelTextColor: color("surface"), title: "",
  });
}
