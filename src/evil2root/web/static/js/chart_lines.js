// Indicators as lines: those with a chip of their own, and any other the reader adds by name.
import { Band } from "./primitives.js";
import { BARS_MAX, HistogramSeries, LineSeries, LineStyle, at, asking, color, inTurn, json, lastUpTo, priceFormat, quiet } from "./chart_base.js";

export const ADDED_MAX = 6; // each may take a pane of its own
const TOKENS = ["c1", "c4", "info", "warn", "c-mute", "text-2"]; // one each; c2 and c3 are taken by the averages and bands
const ADDED = "indicators";
const NEAR = 2; // a line is drawn over the bars when it is at least half, at most twice the close

let registry = null;
/** Every column there is by name, with its unit and warm-up; asked for once. */
export function known() {
  registry ??= json("/api/v1/symbols/indicators").catch((problem) => { registry = null; throw problem; });
  return registry.then(({ items }) => new Map(items.flatMap((i) => i.columns).map((c) => [c.name, c])));
}

/** The names a reader can add: every column, and every family that makes several. */
export async function names() {
  const columns = await known();
  const { items } = await registry;
  const families = items.map((i) => i.name).filter((name, i, all) => !columns.has(name) && (items[i].columns.length > 1 || all.indexOf(name) !== i));
  return [...new Set([...columns.keys(), ...families])].sort();
}

/** The names that share most pairs of letters with a mistyped one. */
function alike(name, all) {
  const pairs = (text) => new Set([...text].slice(1).map((letter, i) => text[i] + letter));
  const typed = pairs(name);
  const shared = (other) => { const has = pairs(other); return [...typed].filter((pair) => has.has(pair)).length / (typed.size + has.size); };
  return [...all].sort((a, b) => shared(b) - shared(a)).slice(0, 4);
}

export function saved() {
  try { return JSON.parse(localStorage.getItem(ADDED) ?? "[]").filter((name) => typeof name === "string").slice(0, ADDED_MAX); } catch { return []; }
}
export const save = (data) => localStorage.setItem(ADDED, JSON.stringify(data.added.map(({ name }) => name)));

/** How many bars can be asked for when so many more than those shown are. */
const reach = (data, more = 0) => Math.max(1, Math.min(BARS_MAX, data.bars.length + more));

/**
 * What the chips draw, and what the reader added, for `fresh` bars more. The chips' lines are joined to those there are; what
 * was added can be a running total, which starts elsewhere in each answer, so all of it is asked for again.
 */
export async function ask(el, data, changes = {}, fresh = 0) {
  const name = data.added.map((one) => one.name);
  const [own, more] = await Promise.all([
    json(asking(el.dataset.indicators, changes)),
    name.length ? json(asking(el.dataset.indicators, { limit: reach(data, fresh), name })) : { columns: {} },
  ]);
  keep(data, own);
  for (const column of Object.keys(more.columns)) data.lines.delete(column);
  keep(data, more);
}

const wrong = (detail) => Object.assign(new Error(detail), { detail });

/** Adds an indicator and says what is odd about it; what is wrong with it is thrown with a `detail` for the reader. */
export async function add(el, data, name) {
  if (data.added.some((one) => one.name === name)) throw wrong(`${name} is shown already.`);
  if (data.added.length >= ADDED_MAX) throw wrong(`${ADDED_MAX} are shown already: remove one of them first.`);
  const { one, says } = await look(el, data, name);
  data.added.push(one);
  return says;
}

async function look(el, data, name) {
  const all = await names();
  if (!all.includes(name)) throw wrong(`There is no indicator ${name}; near it: ${alike(name, all).join(", ")}.`);
  const columns = await known();
  const made = await json(asking(el.dataset.indicators, { name, limit: reach(data) }));
  keep(data, made);
  const one = { name, columns: Object.keys(made.columns).map((column) => columns.get(column)).filter(Boolean) };
  if (one.columns.some((column) => made.columns[column.name].some((value) => value !== null))) return { one, says: "" };
  const longest = Math.max(...one.columns.map((column) => column.warm_up));
  return { one, says: `${name} has no value in these ${made.opened_at.length} bars: it needs ${longest} before its first${data.hasVolume ? "" : ", and this instrument has no volume"}.` };
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
  const values = data.lines.get(name) ?? new Map();
  return data.bars.filter((bar) => values.has(bar.time)).map((bar) => ({ time: bar.time, value: values.get(bar.time) }));
}

/** Adds a line for a column; later points of it follow by a part's `grow`, older ones by its `fill`. */
export function lines(chart, data, parts) {
  return (name, token, pane = 0, more = {}) => {
    data.shown.push(name);
    const series = chart.addSeries(LineSeries, { ...quiet, priceFormat: priceFormat(data.precision), color: color(token), lineWidth: 1.5, ...more }, pane);
    const fill = () => series.setData(points(data, name));
    fill();
    const grow = (time) => { const value = data.lines.get(name)?.get(time); if (value !== undefined) series.update({ time, value }); };
    const isAdded = data.added.some(({ columns }) => columns.some((column) => column.name === name)); // and so asked for as a whole
    parts.push({ fill, grow: isAdded ? fill : grow });
    return series;
  };
}

export function bands(line, data, parts) {
  const edge = { color: color("c3", 0.4), lineWidth: 1, autoscaleInfoProvider: () => null };
  const up = line("bb_upper", "c3", 0, edge);
  line("bb_lower", "c3", 0, edge);
  const value = (name, time) => data.lines.get(name)?.get(time);
  const rows = [];
  const put = (time) => {
    const [hi, lo] = [value("bb_upper", time), value("bb_lower", time)];
    if (hi === undefined || lo === undefined) return;
    if (rows.at(-1)?.time === time) rows.pop();
    rows.push({ time, hi, lo });
  };
  const fill = () => { rows.length = 0; for (const bar of data.bars) put(bar.time); };
  fill();
  up.attachPrimitive(new Band(rows, color("c3", 0.05)));
  parts.push({ fill, grow: put });
}

/** RSI and MACD by their chips; gives the next free pane. */
export function oscillators(chart, line, data, parts, pressed) {
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
    const hist = chart.addSeries(HistogramSeries, { ...quiet, priceFormat: priceFormat(data.precision) }, pane);
    const one = (p) => ({ ...p, color: color(p.value >= 0 ? "gain" : "loss", 0.5) });
    const fill = () => hist.setData(points(data, "macd_hist").map(one));
    fill();
    parts.push({ fill, grow: (time) => { const value = data.lines.get("macd_hist")?.get(time); if (value !== undefined) hist.update(one({ time, value })); } });
    line("macd", "c3", pane);
    line("macd_signal", "c2", pane);
    data.shown.push("macd_hist");
    pane += 1;
  }
  return pane;
}

/** What the reader added: over the bars when it is measured in prices and lies near them, else in a pane of its own. */
export function added(line, data, pane, narrow) {
  data.added.forEach(({ columns }, i) => {
    let own = false;
    for (const column of columns) {
      const over = isPrice(column, data);
      const format = column.unit === "price" ? {} : { priceFormat: { type: "custom", formatter: brief, minMove: 1e-6 } };
      line(column.name, TOKENS[i], over ? 0 : pane, { ...format, lastValueVisible: true, title: narrow ? "" : column.name });
      own ||= !over;
    }
    if (own) pane += 1;
  });
}

/** A true range or a MACD is measured in prices too, but is none. */
function isPrice(column, data) {
  const newest = points(data, column.name).at(-1);
  if (column.unit !== "price" || !newest) return false;
  const { close } = data.bars[lastUpTo(data.bars, "time", newest.time)]; // of the same bar: prices of long ago can be as low as today's range
  return newest.value >= close / NEAR && newest.value <= close * NEAR;
}

const big = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
/** Four digits: what an oscillator or a volume needs. */
export const brief = (value) => (Math.abs(value) >= 1e4 ? big.format(value) : String(Number(value.toPrecision(4)))).replace("-", "−");

/** The form that adds indicators by name, and a chip for each that takes it away again. */
export function chooser(el, current, redraw) {
  const form = document.querySelector("[data-adder]");
  if (!form) return;
  const field = form.querySelector("input");
  const chips = document.querySelector("[data-chosen]");
  const says = document.querySelector("[data-adder-says]");
  const tell = (text) => { says.textContent = text; says.hidden = !text; field.setAttribute("aria-invalid", String(Boolean(text))); };
  const show = () => {
    chips.hidden = !current().added.length;
    chips.replaceChildren(...current().added.map(({ name }, i) => {
      const chip = Object.assign(document.createElement("button"), { type: "button", className: "chip on" });
      const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
      swatch.style.background = `var(--${TOKENS[i]})`;
      chip.setAttribute("aria-label", `Remove ${name}`);
      chip.dataset.added = name;
      chip.append(swatch, name, Object.assign(document.createElement("span"), { textContent: "×", ariaHidden: "true" }));
      return chip;
    }));
  };
  const changed = () => { save(current()); show(); redraw(); };
  field.addEventListener("focus", async () => {
    const list = document.getElementById(field.getAttribute("list"));
    if (list.childElementCount) return;
    try {
      list.replaceChildren(...(await names()).map((value) => Object.assign(document.createElement("option"), { value })));
    } catch (problem) { tell(`The list of indicators could not be read: ${problem.detail ?? problem.message}.`); }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = field.value.trim().toLowerCase();
    if (!name) { tell("Type the name of an indicator, say willr_14; the field lists them all."); return; }
    try {
      tell(await inTurn(current(), () => add(el, current(), name)));
      field.value = "";
      changed();
    } catch (problem) { tell(problem.detail ?? `${name} could not be read: ${problem.message}.`); }
  });
  chips.addEventListener("click", ({ target }) => {
    const chip = target.closest("[data-added]");
    if (!chip) return;
    current().added = current().added.filter(({ name }) => name !== chip.dataset.added);
    tell("");
    changed();
    field.focus();
  });
  show();
  if (current().refused) tell(current().refused);
}

/** The indicators of the last visit, asked for together; one that is no more is left out, and said. */
export async function restore(el, data) {
  const wanted = saved();
  const found = await Promise.allSettled(wanted.map((name) => look(el, data, name)));
  data.added = found.filter(({ status }) => status === "fulfilled").map(({ value }) => value.one);
  data.refused = found.map(({ value, reason }, i) => value?.says ?? reason.detail ?? `${wanted[i]} could not be read: ${reason.message}.`).filter(Boolean).join(" ");
}
