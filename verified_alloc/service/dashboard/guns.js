// A card for each gun: what it gives, what it asks for, what it may and could, and why.

import { by, colour, el, keyed, set } from "./elements.js";
import { order, say } from "./link.js";
import { kw, quote, t, time_of } from "./messages.js";

const HISTORY_S = 120;
const HISTORY_STEP_S = 0.5;
const ASK_AGAIN_MS = 3000;

const history = new Map();
const asking = new Map();
const noted = new Map();

/** What a gun draws, where somebody sees it; else what it may draw of the modules that feed it. */
export const delivered = (gun) => gun.drawn_kw ?? Math.min(gun.offer_kw, gun.live_kw);

/** Nobody's slider is held any more, and nothing is remembered: another run. */
export function forget_guns() {
  history.clear();
  by("gun-list").replaceChildren();
}

/** A card is made once, so that a slider under the finger is never replaced. */
function card_of(gun, simulated) {
  const n = gun.gun;
  return el("li", { class: "gun", id: `gun-${n}`, style: `--colour:${colour(n)}` },
    el("h3", {}, t("Gun", { n }), el("small", { class: "modules" }), el("span", { class: "power" })),
    el("p", { class: "note" }),
    el("svg", { viewBox: "0 0 240 46", preserveAspectRatio: "none", role: "img", "aria-label": t("curve", { n }) },
      el("line", { class: "scale", x1: 0, x2: 240, y1: 44, y2: 44 }), el("polygon", { class: "fed" }),
      el("polyline", { class: "asked" }), el("polyline", { class: "offered" })),
    el("div", { class: "figures" }, ...["asks", "may", "could"].map((name) =>
      el("span", { class: name }, `${t(name)} `, el("b"), el("span", { class: "how" })))),
    !simulated ? null : el("label", { class: "ask" }, t("set"),
      el("input", { type: "range", min: 0, max: gun.maximum_kw, step: 1, value: 0, "aria-label": t("demand-of", { n }),
        oninput: (event) => { asking.set(n, +event.target.value); told(event.target); },
        onchange: () => ask(n) }),
      el("output")),
    el("details", {}, el("summary", {}, t("why")), el("p", { onclick: ({ target }) => { target.closest("details").open = false; } })));
}

const told = (slider) => set(slider.nextElementSibling, kw(+slider.value));

/** What is to be said of a gun before anything else, and whether it is bad. */
function note_of(gun, state) {
  const { limit_kw, dc_kw } = state.site_limit;
  const given_kw = state.guns.reduce((sum, one) => sum + one.granted_kw, 0);
  if (gun.locked) return [t("locked"), true];
  if (!gun.in_service) return [t("gun-out"), true];
  if (gun.stale) return [t("stale"), false];
  if (state.stopped) return [t("stopped"), true];
  if (gun.held_s > 0 && gun.unmet_kw <= 0) return [t("held", { s: Math.ceil(gun.held_s) }), false];
  if (gun.kept_until_at) return [t("kept", { modules: gun.kept.join(", "), until: time_of(gun.kept_until_at) }), false];
  if (gun.unmet_kw <= 0) return [gun.limit_kw != null && gun.demand_kw >= gun.limit_kw ? t("own-limit", { limit: kw(gun.limit_kw) }) : "", false];
  const short = { kw: kw(gun.unmet_kw), limit: kw(limit_kw ?? 0) };
  return [given_kw > (dc_kw ?? Infinity) - 1 ? t("short-limit", short) : t("short", short), false];
}

export function draw_guns(state) {
  keyed(by("gun-list"), state.guns, ({ gun }) => gun, (gun) => card_of(gun, state.station.simulated), (card, gun) => {
    const find = (selector) => card.querySelector(selector);
    const [note, bad] = note_of(gun, state);
    set(find(".modules"), gun.live.length ? `PM${gun.live.join(", ")}` : t("no-module"));
    set(find(".power"), kw(delivered(gun)));
    set(find(".note"), note, { class: `note${bad ? " bad" : ""}` });
    set(find(".asks b"), kw(gun.demand_kw));
    set(find(".may b"), kw(gun.offer_kw));
    set(find(".could b"), kw(gun.capability_kw));
    const by_limit = gun.capability_kw > 0 && gun.capability_kw < gun.maximum_kw && gun.capability_kw === state.site_limit.dc_kw;
    const by_own = gun.capability_kw < gun.maximum_kw && gun.capability_kw === gun.limit_kw;
    const why = by_own ? t("by-own-limit") : by_limit ? t("by-limit") : "";
    set(find(".could .how"), ` ${t("alone")}${why && ` (${why})`}`);
    quote(find("details p"), gun.why.join(" "));
    draw_history(card, gun);
    const slider = find("input");
    if (slider && !asking.has(gun.gun) && document.activeElement !== slider && +slider.value !== gun.demand_kw) {
      slider.value = gun.demand_kw;
    }
    if (slider) told(slider);
  });
}

/** What a listener hears of guns: that something new is to be said of one, not how figures move. */
export function announce(state) {
  const news = state.guns.flatMap((gun) => {
    const what = [gun.locked, gun.in_service, gun.stale, gun.unmet_kw > 0].join();
    const was = noted.get(gun.gun);
    noted.set(gun.gun, what);
    return was === undefined || was === what ? [] : [`${t("Gun", { n: gun.gun })}: ${note_of(gun, state)[0] || kw(delivered(gun))}`];
  });
  if (news.length) by("announced").textContent = news.join(" ");
}

export function remember(state) {
  for (const gun of state.guns) {
    const points = history.get(gun.gun) ?? [];
    if (points.length > 1 && state.at - points.at(-2).at < HISTORY_STEP_S) points.pop();
    points.push({ at: state.at, asked: gun.demand_kw, offered: gun.offer_kw, fed: delivered(gun) });
    while (points.length > 2 && points[1].at < state.at - HISTORY_S) points.shift();
    history.set(gun.gun, points);
  }
}

function draw_history(card, gun) {
  const points = history.get(gun.gun);
  const now_s = points.at(-1).at;
  const x = (at) => (240 * (1 - Math.min(1, (now_s - at) / HISTORY_S))).toFixed(1);
  const y = (power_kw) => (44 - 42 * Math.min(1, power_kw / gun.maximum_kw)).toFixed(1);
  // A value holds until the next one: steps, not slopes.
  const steps = (of) => points.flatMap((point, i) => [
    ...(i ? [`${x(point.at)},${y(points[i - 1][of])}`] : []), `${x(point.at)},${y(point[of])}`]);
  card.querySelector(".fed").setAttribute("points", [`${x(points[0].at)},44`, ...steps("fed"), "240,44"].join(" "));
  for (const of of ["asked", "offered"]) card.querySelector(`.${of}`).setAttribute("points", steps(of).join(" "));
}

/** A demand is told, and told again while somebody holds it: it would go stale. */
function ask(gun, again = false) {
  if (asking.has(gun)) order("PUT", `/guns/${gun}/demand`, { demand_kw: asking.get(gun) }, { quiet: again });
}

export function let_go() {
  asking.clear();
  say(t("released"));
}

setInterval(() => asking.forEach((_, gun) => ask(gun, true)), ASK_AGAIN_MS);
