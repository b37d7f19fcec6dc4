// The panel: draws what the service streams and sends orders. It decides nothing, and keeps nothing
// but a short history of each gun and the demands that somebody holds with a slider.

import { by, el, keyed, set } from "./elements.js";
import { draw_chain, draw_faults, problems } from "./faults.js";
import { announce, delivered, draw_guns, forget_guns, remember } from "./guns.js";
import { heard, listen } from "./link.js";
import { draw_legend, draw_matrix, forget_matrix } from "./matrix.js";
import { change_language, keep_zone, kw, moment_of, quote, t, translate } from "./messages.js";
import { find_events, prepare_past, renew_history, show_history } from "./past.js";
import { draw_controls, prepare_controls } from "./service.js";
import { draw_stop } from "./stop.js";

const STALE_MS = 2500;
const TABS = ["guns", "matrix", "faults", "history", "events", "service"];

let latest = null;
let started_at = null;

function draw_totals(state) {
  const sum = (of) => state.guns.reduce((total, gun) => total + of(gun), 0);
  const { policy, fallback_from } = state.assignment;
  keyed(by("totals"), [
    ["delivered", kw(sum(delivered))],
    ["asked", kw(sum((gun) => gun.demand_kw))],
    ["feeding", t("of", { n: state.modules.filter((module) => module.feeds != null).length, all: state.modules.length })],
    ["limit", state.site_limit.limit_kw == null ? t("none") : kw(state.site_limit.limit_kw)],
    ["at-grid", kw(state.site_limit.grid_kw)],
    ["policy", fallback_from ? t("standing-in", { policy, name: fallback_from }) : policy],
    ["assignment", t("number", { n: state.assignment.sequence })],
  ], ([name]) => name, ([name]) => el("div", {}, el("dt", {}, t(name)), el("dd")), (one, [, value]) => set(one.lastChild, value));
}

function draw_notes({ notes }) {
  keyed(by("happened"), notes.slice().reverse(), ({ number }) => number, (note) =>
    el("li", {}, el("time", {}, moment_of(note.at)), el("span")), (one, { text }) => quote(one.lastChild, text));
}

function prepare(state) {
  keep_zone(state.station.zone);
  by("station").textContent = state.station.name;
  document.title = `${state.station.name} · verified-alloc`;
  by("about").textContent = `verified-alloc ${state.station.version}: ${state.station.proof}`;
  by("kind").hidden = !state.station.simulated;
  forget_guns();
  forget_matrix();
  prepare_controls(state);
  prepare_past(state.station);
}

function show(state) {
  latest = state;
  if (started_at !== state.station.started_at) {
    started_at = state.station.started_at;
    prepare(state);
    show_tab();
    return;
  }
  remember(state);
  announce(state);
  draw_stop(state);
  draw_faults(state);
  const drawn = { guns: [draw_guns, draw_matrix, draw_totals], matrix: [draw_matrix, draw_totals], faults: [draw_chain],
    history: [], events: [draw_notes], service: [draw_controls] };
  drawn[document.body.dataset.tab].forEach((draw) => draw(state));
  show_status();
}

/** What is wrong, or that nothing is; and nothing but a live stream is shown as live. */
function show_status() {
  const silent_s = Math.floor((Date.now() - heard.at_ms) / 1000);
  const silent = latest !== null && silent_s * 1000 >= STALE_MS;
  const wrong = latest === null ? [["warn", t("connecting")]] : [...(silent ? [["bad", t("silent")]] : []), ...problems(latest)];
  document.body.classList.toggle("stale", latest === null || silent || !latest.healthy);
  const level = wrong.some(([how]) => how === "bad") ? "bad" : wrong.length ? "warn" : "good";
  set(by("status"), wrong.length ? wrong.map(([, words]) => words).join(" · ") : t("well"));
  set(by("status").closest("p"), null, { class: `status ${level}` });
  set(by("silence"), silent ? `${silent_s} s` : "");
}

function open_tab() {
  const name = TABS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "guns";
  document.body.dataset.tab = name;
  for (const link of document.querySelectorAll("nav a")) {
    set(link, null, { "aria-current": link.hash === `#${name}` ? "page" : null });
  }
  scrollTo(0, 0);
  renew_history();
  if (latest) show_tab();
}

/** What a tab shows that the stream does not bring. */
function show_tab() {
  show(latest);
  show_history(latest.station.history);
  if (document.body.dataset.tab === "events" && latest.station.history) find_events();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("theme", name);
  renew_history();
}

translate();
draw_legend();
theme(localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"));
by("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
by("language").addEventListener("click", change_language);
addEventListener("hashchange", open_tab);
open_tab();
setInterval(show_status, 500);
setInterval(() => { if (latest) show_history(latest.station.history); }, 1000);
listen(show);
