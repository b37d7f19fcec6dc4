// What a person does to the station: guns and modules in and out of service, holds, the site limit;
// how worn its contactors are; and, where it is simulated, what breaks.

import { by, el, keyed, set, unless_same } from "./elements.js";
import { let_go } from "./guns.js";
import { order } from "./link.js";
import { table } from "./matrix.js";
import { kw, moment_of, t, time_of } from "./messages.js";

const HOLD_S = 60;
const BREAKS = ["weld", "failed-open", "late-release", "aux-stuck-closed", "aux-broken-wire", "module-dead", "module-stuck-on"];

/** A row with buttons, and what was answered to them beside. */
function row_of(name, buttons) {
  const answer = el("p", { class: "answer", role: "status" });
  return el("li", { class: "row" }, el("b", {}, name), el("span", { class: "how" }),
    el("span", { class: "buttons" }, ...buttons.map(([kind, go]) => el("button", { type: "button", class: kind, onclick: () => go(answer) }))), answer);
}

const in_service = (path, now) => (place) => order("PUT", `${path}/service`, { in_service: now() }, { place });

const CONDITIONS = { failed: "module.failed", "expander lost": "module.lost" };

/** How a gun or a module is, and whether that is bad. */
function how_is(thing, { contactors }) {
  if (!thing.in_service) return [t("out-of-service"), true];
  if (thing.locked) return [t("gun.locked"), true];
  if (thing.condition in CONDITIONS) return [t(CONDITIONS[thing.condition]), true];
  const welded = "condition" in thing ? contactors.filter((one) => one.welded && one.module === thing.module) : [];
  return welded.length ? [t("welded-to", { gun: welded.map(({ gun }) => t("gun", { n: gun })).join(", ") }), true] : [t("in-service"), false];
}

function draw_service(state, list, things, of, name, path, hold) {
  keyed(list, things, of, (thing) => {
    const row = row_of(name(thing), [["switch", in_service(path(thing), () => row.dataset.out === "true")],
      ...(hold ? [["hold", (place) => row.dataset.held === "true" ? order("DELETE", `${path(thing)}/hold`, undefined, { place })
        : order("PUT", `${path(thing)}/hold`, { hold_s: HOLD_S }, { place })]] : [])]);
    return row;
  }, (row, thing) => {
    const [out, held] = [!thing.in_service, thing.held_s > 0];
    row.dataset.out = out;
    row.dataset.held = held;
    const [how, bad] = how_is(thing, state);
    set(row.querySelector(".how"), how, { class: `how${bad ? " bad" : ""}` });
    const label = (button, words) => set(row.querySelector(button), words, { "aria-label": `${words}: ${name(thing)}` });
    label(".switch", t(out ? "put-back" : "take-out"));
    if (hold) label(".hold", t(held ? "let-go" : "hold"));
  });
}

function draw_limit({ site_limit, limits, assignment, policy }) {
  const power = (value) => (value == null ? t("none") : kw(value));
  set(by("limit-now"), t("limit-now", { now: power(site_limit.limit_kw), own: power(site_limit.own_kw) }));
  set(by("limit-next"), [site_limit.rises_at && t("limit-rises", { at: time_of(site_limit.rises_at) }),
    limits.changes_at && t("limit-next", { at: moment_of(limits.changes_at) })].filter(Boolean).join(" "));
  unless_same(by("limits"), limits.standing, () => limits.standing.length ? [
    el("tr", {}, ...["of", "purpose", "level", "now", "until"].map((name) => el("th", { scope: "col" }, t(`limits.${name}`)))),
    ...limits.standing.map((one) => el("tr", {},
      el("th", { scope: "row" }, one.gun != null ? t("Gun", { n: one.gun }) : t(["default", "session"].includes(one.purpose) ? "limits.every" : "limits.all")),
      el("td", {}, t(`purpose.${one.purpose}`)), el("td", {}, String(one.stack_level)),
      el("td", {}, one.allows_kw == null ? t("none") : kw(one.allows_kw)), el("td", {}, one.changes_at ? moment_of(one.changes_at) : ""))),
  ] : []);
  if (document.activeElement !== by("policy-choice")) by("policy-choice").value = policy;
  set(by("policy"), `${t(`policy.${policy}`)}${assignment.fallback_from ? ` (${t("standing-in", { policy: assignment.policy, name: assignment.fallback_from })})` : ""}`);
}

function draw_wear(state) {
  const counts = state.contactors.map((contactor) => contactor.operations);
  const most = Math.max(1, ...counts);
  unless_same(by("wear"), counts, () => table(state, (contactor) => el("td", {
    style: contactor && `background:color-mix(in srgb, var(--accent) ${Math.round((40 * contactor.operations) / most)}%, transparent)`,
  }, contactor ? String(contactor.operations) : "")));
}

export function draw_controls(state) {
  draw_service(state, by("gun-controls"), state.guns, ({ gun }) => gun, ({ gun }) => t("Gun", { n: gun }), ({ gun }) => `/guns/${gun}`, true);
  draw_service(state, by("module-controls"), state.modules, ({ module }) => module, ({ module }) => `PM${module}`, ({ module }) => `/modules/${module}`, false);
  draw_limit(state);
  draw_wear(state);
}

export function prepare_controls(state) {
  by("simulation").hidden = !state.station.simulated;
  const pairs = state.contactors.map(({ gun, module }) => `${gun}:${module}`);
  const modules = state.modules.map(({ module }) => String(module));
  const places = () => (by("fault-kind").value.startsWith("module") ? modules : pairs);
  const offer = () => by("fault-place").replaceChildren(...places().map((place) => el("option", {}, place)));
  by("fault-kind").replaceChildren(...BREAKS.map((kind) => el("option", { value: kind }, t(`break.${kind}`))));
  by("fault-kind").onchange = offer;
  offer();
}

by("limit-form").addEventListener("submit", (event) => {
  event.preventDefault();
  order("PUT", "/limits", { limit_kw: +by("limit-kw").value }, { place: by("limit-said") });
});
by("limit-remove").addEventListener("click", () => order("DELETE", "/limits", undefined, { place: by("limit-said") }));
by("policy-choice").addEventListener("change", ({ target }) => {
  order("PUT", "/policy", { policy: target.value }, { place: by("policy-said") });
});
by("inject").addEventListener("submit", (event) => {
  event.preventDefault();
  order("POST", "/simulation/faults", { fault: `${by("fault-kind").value} ${by("fault-place").value}` });
});
by("let-go").addEventListener("click", let_go);
