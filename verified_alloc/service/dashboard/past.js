// Hours and days, from the journal: power as curves, energy, sessions; and events to search.

import { by, colour, el } from "./elements.js";
import { ask } from "./link.js";
import { date_of, day_of, decimal, kw, kwh, minute_of, moment_of, said, span_of, t, unix_of, zone_name } from "./messages.js";

const AGAIN_MS = 60_000;
const NOT_ALL_YET_MS = 2000;
const SESSIONS_SHOWN = 100;
const CURVE_HEIGHT = 116;

let hours = "24";
let loaded = null;
let charts = [];
let under_way = false;
let due_ms = 0;

/** uPlot, when it is needed first. */
const uplot = () => loaded ??= new Promise((done, failed) => {
  document.head.append(el("link", { rel: "stylesheet", href: "uPlot.min.css" }));
  document.head.append(el("script", { src: "uPlot.iife.min.js", onload: () => done(window.uPlot), onerror: failed }));
});

const cell = (text, attributes = {}) => el("td", attributes, text);
const head = (...names) => el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, name))));

function options(Plot, gun, most_kw, width) {
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = { stroke: ink("--faint"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line") }, font: "12px sans-serif" };
  const when = hours === "168" ? day_of : minute_of;
  const fill = ink(`--g${((gun - 1) % 8) + 1}`);
  return {
    width, height: CURVE_HEIGHT, legend: { show: false }, cursor: { y: false, sync: { key: "guns" }, drag: { x: false, y: false } },
    tzDate: (s) => Plot.tzDate(new Date(s * 1000), zone_name()),
    scales: { x: { time: true }, y: { range: [0, most_kw] } },
    axes: [{ ...axis, size: 24, space: 70, values: (_, ticks) => ticks.map(when) },
      { ...axis, size: 46, space: 26, values: (_, ticks) => ticks.map(String) }],
    series: [{}, { stroke: fill, fill: `${fill}55`, width: 1.5, paths: Plot.paths.stepped({ align: 1 }), points: { show: false } }],
  };
}

async function draw_curves(history) {
  const Plot = await uplot();
  const guns = history.power_kw[0].length;
  const times = history.power_kw.map((_, step) => history.start_at + step * history.step_s);
  const most_kw = Math.max(40, ...history.power_kw.flat()) * 1.05;
  charts.forEach((chart) => chart.destroy());
  by("curves").replaceChildren(...Array.from({ length: guns }, (_, place) => {
    const powers = history.power_kw.map((row) => row[place]);
    const energy = powers.reduce((sum, power) => sum + power, 0) * history.step_s / 3600;
    return el("figure", { style: `--colour:${colour(place + 1)}` },
      el("figcaption", {}, el("b", {}, t("Gun", { n: place + 1 })), " ", t("curve-of", { kw: kw(Math.max(...powers)), kwh: kwh(energy) })),
      el("div", { class: "curve", role: "img", "aria-label": t("chart-alt", { n: place + 1 }) }));
  }));
  charts = [...by("curves").querySelectorAll(".curve")].map((place, at) =>
    new Plot(options(Plot, at + 1, most_kw, place.clientWidth), [times, history.power_kw.map((row) => row[at])], place));
}

function draw_energy(days) {
  const guns = days[0]?.energy_kwh.map((_, place) => t("gun", { n: place + 1 })) ?? [];
  by("energy").replaceChildren(head(t("day"), ...guns, t("total")), el("tbody", {}, ...days.slice().reverse().map((day) =>
    el("tr", {}, el("th", { scope: "row" }, day_of(unix_of(`${day.date}T12:00:00`))), ...day.energy_kwh.map((energy) => cell(decimal(energy))),
      cell(decimal(day.energy_kwh.reduce((sum, energy) => sum + energy, 0)))))));
}

function draw_sessions(sessions) {
  by("sessions").replaceChildren(head(t("one-gun"), t("from"), t("until"), t("lasted"), "kWh", t("most")),
    el("tbody", {}, ...sessions.slice(0, SESSIONS_SHOWN).map((one) => el("tr", {},
      el("th", { scope: "row" }, String(one.gun)), cell(date_of(one.start_at)),
      cell(one.end_at == null ? t("under-way-still") : date_of(one.end_at)),
      cell(span_of((one.end_at ?? Date.now() / 1000) - one.start_at)), cell(decimal(one.energy_kwh)), cell(kw(one.most_kw))))));
}

/** What is shown of the past, again once it is old; never two questions at a time. */
export async function show_history(kept) {
  by("past").hidden = !kept;
  by("past-said").textContent = kept ? "" : t("no-journal");
  if (!kept || under_way || Date.now() < due_ms || by("past").parentElement.offsetParent === null) return;
  under_way = true;
  try {
    const answers = [await ask("GET", `/history?hours=${hours}`), await ask("GET", "/energy"), await ask("GET", "/sessions")];
    const wrong = answers.find((answer) => !answer.ok);
    if (wrong) {
      by("past-said").textContent = wrong.said;
    } else {
      const [history, days, sessions] = answers.map(({ data }) => data);
      await draw_curves(history);
      draw_energy(days);
      draw_sessions(sessions);
      by("past-said").textContent = history.complete ? "" : t("reading");
    }
    due_ms = Date.now() + (wrong || !answers[0].data.complete ? NOT_ALL_YET_MS : AGAIN_MS);
  } finally {
    under_way = false;
  }
}

/** Draw it again at the next chance: other colours, another width or time span. */
export function renew_history() {
  due_ms = 0;
}

function asked() {
  const from = by("events-from").value, to = by("events-to").value;
  return new URLSearchParams({ ...(from ? { from_at: unix_of(from) } : {}), ...(to ? { to_at: unix_of(to) } : {}),
    words: by("events-words").value, severity: by("events-severity").value });
}

export async function find_events(event) {
  event?.preventDefault();
  const { ok, said: why, data } = await ask("GET", `/events?${asked()}`);
  by("events-said").textContent = !ok ? why : data.events.length === 0 ? t("nothing-found") : data.complete ? "" : t("not-all");
  if (!ok) return;
  by("found").replaceChildren(head(t("when"), t("severity"), t("what")), el("tbody", {}, ...data.events.map((one) =>
    el("tr", {}, cell(moment_of(one.at)), cell(t(one.severity), { class: one.severity }), cell(said(one.text), { lang: said(one.text) === one.text ? "en" : null })))));
}

async function save() {
  const { ok, said: why, data } = await ask("GET", `/events.csv?${asked()}`);
  if (!ok) {
    by("events-said").textContent = why;
    return;
  }
  const link = el("a", { href: URL.createObjectURL(data), download: "events.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}

export function prepare_past(station) {
  by("events-form").hidden = !station.history;
  by("events-said").textContent = station.history ? "" : t("no-journal");
  for (const place of document.querySelectorAll(".zone")) place.textContent = t("zone", { zone: zone_name() });
}

by("events-form").addEventListener("submit", find_events);
by("events-csv").addEventListener("click", save);
by("ranges").addEventListener("change", ({ target }) => {
  hours = target.value;
  renew_history();
  show_history(true);
});
addEventListener("resize", renew_history);
