// The matrix: modules on one side, guns on the other, a contactor where they cross. Drawn once for a
// station and a width; then only what has changed is changed. On a narrow screen it is turned by 90°.

import { by, colour, el, set } from "./elements.js";
import { delivered } from "./guns.js";
import { kw, t } from "./messages.js";

const KINDS = ["live", "closed", "coming", "open", "welded", "failed", "unknown"];
const TURNED_BELOW = 560;
const SHORT_BELOW = 560;

let drawn = null;
let width = 0;
let latest = null;

/** How one contactor is: a class and words, the most telling first. */
function shown(contactor, module) {
  if (contactor.welded) return ["welded", t(contactor.live ? "welded-live" : "welded")];
  if (contactor.failed_open) return ["failed", t("failed")];
  if (module.condition === "expander lost") return ["unknown", t("unknown")];
  if (contactor.live) return ["live", t("live")];
  if (contactor.closed) return ["closed", t("closed")];
  if (contactor.assigned) return ["coming", t("coming")];
  return ["open", t("open")];
}

/** A contactor's mark: a ring for each kind, with a cross or a question mark in it. */
const mark = (x, y) => el("g", { class: "contact open", transform: `translate(${x} ${y})` }, el("title"),
  el("circle", { r: 9 }), el("path", { class: "cross", d: "M -6 -6 L 6 6 M 6 -6 L -6 6" }),
  el("text", { class: "ask", y: 5, "text-anchor": "middle" }, "?"));

function paint(contact, kind, words, gun) {
  set(contact, null, { class: `contact ${kind}` });
  contact.style.setProperty("--colour", colour(gun));
  set(contact.querySelector("title"), words);
}

export function draw_legend() {
  const [legend] = document.getElementsByClassName("legend");
  legend.replaceChildren(...KINDS.map((kind) => {
    const contact = mark(11, 11);
    paint(contact, kind, "", 1);
    return el("span", {}, el("svg", { width: 22, height: 22, "aria-hidden": "true" }, contact), t(kind));
  }), el("span", {}, t("legend.module")));
}

function build(state) {
  const turned = width < TURNED_BELOW;
  const [modules, guns] = [state.modules.length, state.guns.length];
  const fit = (room, count, least, most) => Math.min(most, Math.max(least, room / count));
  const size = turned
    ? { left: 82, top: 30, module: 40, gun: fit(width - 86, guns, 34, 80), after: 30 }
    : { left: 78, top: 46, module: fit(width - 166, modules, 34, 64), gun: innerHeight < SHORT_BELOW ? 36 : 44, after: 88 };
  const along = (module) => (turned ? size.top : size.left) + (module - 0.5) * size.module;
  const across = (gun) => (turned ? size.left : size.top) + (gun - 0.5) * size.gun;
  const place = (module, gun) => (turned ? [across(gun), along(module)] : [along(module), across(gun)]);
  const end = (turned ? size.top : size.left) + modules * size.module;
  const far = (turned ? size.left : size.top) + guns * size.gun;
  const [wide, high] = turned ? [far + 4, end + size.after] : [end + size.after, far];
  const svg = el("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, role: "img", "aria-label": t("matrix.alt") });
  const first = turned ? size.left - 8 : size.top - 8;
  const [line, text] = [(x1, y1, x2, y2) => el("line", { class: "bus", x1, y1, x2, y2 }), (attributes) => el("text", attributes)];
  const parts = { modules: new Map(), guns: new Map(), contacts: new Map(), first, end, along, across, turned };
  for (const { module } of state.modules) {
    const at = along(module);
    const [name, under] = turned
      ? [text({ x: 2, y: at + 5 }), text({ x: 34, y: at + 5 })]
      : [text({ x: at, y: 16, "text-anchor": "middle" }), text({ x: at, y: 31, "text-anchor": "middle" })];
    svg.append(turned ? line(first, at, across(guns), at) : line(at, first, at, across(guns)), name, under);
    name.textContent = `PM${module}`;
    parts.modules.set(module, { name, under });
  }
  for (const { gun } of state.guns) {
    const at = across(gun);
    svg.append(turned ? line(at, size.top, at, end) : line(size.left, at, end, at));
    const swatch = el("circle", { r: 6, cx: turned ? at : 8, cy: turned ? 8 : at, style: `fill:${colour(gun)}` });
    const name = turned ? text({ x: at, y: 27, "text-anchor": "middle" }) : text({ x: 20, y: at + 5 });
    const power = turned ? text({ x: at, y: end + 18, "text-anchor": "middle" }) : text({ x: end + 8, y: at + 5 });
    name.textContent = turned ? String(gun) : t("gun", { n: gun });
    const flow = el("path", { class: "flow", style: `stroke:${colour(gun)}` });
    svg.append(swatch, name, power, flow);
    parts.guns.set(gun, { power, flow });
  }
  for (const { gun, module } of state.contactors) {
    const contact = mark(...place(module, gun));
    svg.append(contact);
    parts.contacts.set(`${gun}:${module}`, { contact });
  }
  by("matrix").replaceChildren(svg);
  const cells = new Map();
  by("matrix-table").replaceChildren(el("caption", {}, t("matrix.table")), ...table(state, (contactor) => {
    const cell = el("td", {}, contactor ? "" : t("no-contactor"));
    if (contactor) cells.set(`${contactor.gun}:${contactor.module}`, cell);
    return cell;
  }));
  parts.contacts.forEach((part, pair) => { part.cell = cells.get(pair); });
  return parts;
}

function flow_of(gun, { first, end, along, across, turned }) {
  if (!gun.live.length) return "";
  const at = across(gun.gun);
  const step = (x, y) => (turned ? `${y} ${x}` : `${x} ${y}`);
  const down = gun.live.map((module) => `M ${step(along(module), first)} L ${step(along(module), at)}`);
  return [...down, `M ${step(along(Math.min(...gun.live)), at)} L ${step(end, at)}`].join(" ");
}

export function draw_matrix(state) {
  latest = state;
  if (width === 0) return;
  drawn ??= build(state);
  const words = { failed: t("module.failed"), "expander lost": t("module.lost"), "out of service": t("module.out") };
  const conditions = new Map(state.modules.map((module) => [module.module, module]));
  for (const module of state.modules) {
    const { name, under } = drawn.modules.get(module.module);
    const bad = words[module.condition];
    set(name, null, { class: bad ? "bad" : "" });
    set(under, bad ?? (drawn.turned ? "" : String(+module.power_kw.toFixed(1))), { class: bad ? "bad small" : "minor" });
  }
  for (const gun of state.guns) {
    const { power, flow } = drawn.guns.get(gun.gun);
    const out = gun.locked ? t("gun.locked") : gun.in_service ? "" : t("gun.out");
    set(power, out || (drawn.turned ? String(Math.round(delivered(gun))) : kw(delivered(gun))), { class: out ? "bad small" : "" });
    set(flow, null, { d: flow_of(gun, drawn) });
  }
  for (const contactor of state.contactors) {
    const { contact, cell } = drawn.contacts.get(`${contactor.gun}:${contactor.module}`);
    const [kind, said] = shown(contactor, conditions.get(contactor.module));
    paint(contact, kind, `${contactor.gun}:${contactor.module} ${said}`, contactor.gun);
    set(cell, said);
  }
}

/** Another station, or another width. */
export function forget_matrix() {
  drawn = null;
  if (latest) draw_matrix(latest);
}

/** Rows of a table with a cell for each gun and module; the cell is given the contactor, or nothing. */
export function table(state, cell) {
  const at = new Map(state.contactors.map((contactor) => [`${contactor.gun}:${contactor.module}`, contactor]));
  return [
    el("tr", {}, el("td"), ...state.modules.map(({ module }) => el("th", { scope: "col" }, `PM${module}`))),
    ...state.guns.map(({ gun }) => el("tr", {}, el("th", { scope: "row" }, t("gun", { n: gun })),
      ...state.modules.map(({ module }) => cell(at.get(`${gun}:${module}`))))),
  ];
}

new ResizeObserver(([{ contentRect }]) => {
  if (contentRect.width === 0 || contentRect.width === width) return;
  width = contentRect.width;
  forget_matrix();
}).observe(by("matrix"));
