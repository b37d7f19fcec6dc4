// The dashboard: draws what the service streams and sends orders. It decides nothing, and keeps
// nothing but a short history of each gun and the demands that somebody holds with a slider.

const HISTORY_S = 120;
const HISTORY_STEP_S = 0.5;
const STALE_MS = 2500;
const ASK_AGAIN_MS = 3000;
const RECONNECT_MS = 1000;
const GUN_COLOURS = 8;
const SVG = new Set(["svg", "line", "path", "circle", "text", "title", "polyline", "polygon"]);
const FAULTS = [
  ["weld", "contactor welds"], ["failed-open", "contactor fails open"], ["late-release", "contactor opens late"],
  ["aux-stuck-closed", "auxiliary contact stuck closed"], ["aux-broken-wire", "auxiliary contact's wire breaks"],
  ["module-dead", "module does not come on"], ["module-stuck-on", "module does not go off"],
];

const by = (id) => document.getElementById(id);
const kw = (value) => `${+value.toFixed(1)} kW`;
const colour = (gun) => `var(--g${((gun - 1) % GUN_COLOURS) + 1})`;
const clock = (s) => [s / 3600, (s / 60) % 60, s % 60].map((n) => String(Math.floor(n)).padStart(2, "0")).join(":");
/** What a gun draws, where somebody sees it; else what it may draw of the modules that feed it. */
const delivered = (gun) => gun.drawn_kw ?? Math.min(gun.offer_kw, gun.live_kw);

/** An element: its name, attributes (on… are listeners), children. */
function el(name, attributes = {}, ...children) {
  const made = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") made.style.cssText = value ?? "";
    else if (value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

let latest = null;
let heard_ms = 0;
let started_s = null;
let token = sessionStorage.getItem("token");
const history = new Map();
const asking = new Map();

// ---- the matrix -----------------------------------------------------------------------------

/** How one contactor is: a class and words, the most telling first. */
function shown(contactor) {
  if (contactor.welded) return ["welded", contactor.live ? "welded, feeds" : "welded"];
  if (contactor.failed_open) return ["failed", "failed open"];
  if (contactor.live) return ["live", "feeds"];
  if (contactor.closed) return ["closed", "closed, module off"];
  if (contactor.assigned) return ["coming", "on its way"];
  return ["open", "open"];
}

function drawMatrix(state) {
  const [dx, dy, left, top] = [52, 44, 58, 46];
  const x = (module) => left + (module - 0.5) * dx;
  const y = (gun) => top + (gun - 0.5) * dy;
  const end = left + state.modules.length * dx + 6;
  const bottom = y(state.guns.length);
  const svg = el("svg", { viewBox: `0 0 ${end + 92} ${bottom + dy / 2}`, role: "img",
    "aria-label": "Which modules feed which guns; the same as a table follows" });
  for (const module of state.modules) {
    const out = !module.usable;
    svg.append(
      el("line", { class: "bus", x1: x(module.module), y1: top - 8, x2: x(module.module), y2: bottom }),
      el("text", { class: out ? "out" : "", x: x(module.module), y: 16, "text-anchor": "middle" },
        `PM${module.module}`),
      el("text", { class: out ? "out" : "minor", x: x(module.module), y: 31, "text-anchor": "middle" },
        out ? (module.in_service ? "failed" : "out") : String(+module.power_kw.toFixed(1))));
  }
  for (const gun of state.guns) {
    const out = gun.locked ? "locked" : gun.in_service ? "" : "out";
    svg.append(
      el("line", { class: "bus", x1: left, y1: y(gun.gun), x2: end, y2: y(gun.gun) }),
      el("text", { x: 2, y: y(gun.gun) + 5, style: `fill:${colour(gun.gun)}` }, `gun ${gun.gun}`),
      el("text", { class: out ? "out" : "", x: end + 8, y: y(gun.gun) + 5 }, out || kw(delivered(gun))));
  }
  for (const gun of state.guns) {
    if (!gun.live.length) continue;
    const down = gun.live.map((module) => `M ${x(module)} ${top - 8} V ${y(gun.gun)}`).join(" ");
    svg.append(el("path", { class: "flow", stroke: colour(gun.gun),
      d: `${down} M ${x(Math.min(...gun.live))} ${y(gun.gun)} H ${end}` }));
  }
  for (const contactor of state.contactors) {
    const { gun, module } = contactor;
    const [kind, words] = shown(contactor);
    svg.append(el("circle", { class: `contact ${kind}`, cx: x(module), cy: y(gun), r: 9,
      style: contactor.live ? `fill:${colour(gun)}` : null }, el("title", {}, `${gun}:${module} ${words}`)));
    if (kind === "failed") {
      svg.append(el("path", { class: "cross", d: `M ${x(module) - 6} ${y(gun) - 6} l 12 12 m -12 0 l 12 -12` }));
    }
  }
  by("matrix").replaceChildren(svg);
  by("matrix-table").replaceChildren(
    el("caption", {}, "Contactors, a row for each gun"),
    ...table(state, (contactor) => el("td", {}, contactor ? shown(contactor)[1] : "none")));
}

/** Rows of a table with a cell for each gun and module; the cell is given the contactor, or nothing. */
function table(state, cell) {
  const at = new Map(state.contactors.map((contactor) => [`${contactor.gun}:${contactor.module}`, contactor]));
  return [
    el("tr", {}, el("td"), ...state.modules.map(({ module }) => el("th", { scope: "col" }, `PM${module}`))),
    ...state.guns.map(({ gun }) => el("tr", {}, el("th", { scope: "row" }, `gun ${gun}`),
      ...state.modules.map(({ module }) => cell(at.get(`${gun}:${module}`))))),
  ];
}

// ---- the guns ------------------------------------------------------------------------------

/** A card is made once, so that a slider under the finger is never replaced. */
function makeCard(gun, simulated) {
  const number = gun.gun;
  by("gun-list").append(el("li", { class: "gun", id: `gun-${number}`, style: `--colour:${colour(number)}` },
    el("h3", {}, `Gun ${number}`, el("small", { class: "modules" }), el("span", { class: "power" })),
    el("div", { class: "note" }),
    el("svg", { viewBox: "0 0 240 46", preserveAspectRatio: "none", role: "img",
      "aria-label": `The last two minutes of gun ${number}: asked dashed, offered as a line, delivered filled` }),
    el("div", { class: "figures" }),
    !simulated ? null : el("label", { class: "ask" }, "set",
      el("input", { type: "range", min: 0, max: gun.maximum_kw, step: 1, value: 0,
        "aria-label": `Demand of gun ${number}, kW`,
        oninput: (event) => { asking.set(number, +event.target.value); told(event.target); },
        onchange: () => ask(number) }),
      el("output")),
    el("details", {}, el("summary", {}, "Why"), el("p"))));
}

const told = (slider) => { slider.nextElementSibling.value = kw(+slider.value); };

function drawCard(gun) {
  const card = by(`gun-${gun.gun}`), find = (selector) => card.querySelector(selector);
  find(".modules").textContent = gun.live.length ? `PM${gun.live.join(", ")}` : "no module";
  find(".power").textContent = kw(delivered(gun));
  const bad = gun.locked ? "Locked: joined to another gun, or on a module that does not switch off."
    : gun.in_service ? "" : "Out of service.";
  find(".note").textContent = bad || (gun.stale ? "Its demand was not renewed and counts as 0."
    : gun.held_s > 0 ? `Its modules are held for ${Math.ceil(gun.held_s)} s.`
    : gun.kept_until_s ? `Keeps PM${gun.kept.join(", ")} until ${new Date(gun.kept_until_s * 1000).toLocaleTimeString()} unless somebody needs it after its dwell.`
    : gun.unmet_kw > 0 ? `Short by ${kw(gun.unmet_kw)}.` : "");
  find(".note").classList.toggle("bad", bad !== "");
  find(".figures").replaceChildren(
    ...[["asks", gun.demand_kw], ["may draw", gun.offer_kw], ["could get", gun.capability_kw]].map(
      ([name, value]) => el("span", {}, `${name} `, el("b", {}, kw(value)))));
  find("details p").textContent = gun.why.join(" ");
  drawHistory(find("svg"), gun);
  const slider = find("input");
  if (slider && !asking.has(gun.gun) && document.activeElement !== slider) {
    slider.value = gun.demand_kw;
    told(slider);
  }
}

function remember(state) {
  for (const gun of state.guns) {
    const points = history.get(gun.gun) ?? [];
    if (points.length > 1 && state.at_s - points.at(-2).at_s < HISTORY_STEP_S) points.pop();
    points.push({ at_s: state.at_s, asked: gun.demand_kw, offered: gun.offer_kw, fed: delivered(gun) });
    while (points.length > 2 && points[1].at_s < state.at_s - HISTORY_S) points.shift();
    history.set(gun.gun, points);
  }
}

function drawHistory(svg, gun) {
  const points = history.get(gun.gun);
  const now_s = points.at(-1).at_s;
  const x = (at_s) => (240 * (1 - Math.min(1, (now_s - at_s) / HISTORY_S))).toFixed(1);
  const y = (power_kw) => (44 - 42 * Math.min(1, power_kw / gun.maximum_kw)).toFixed(1);
  // A value holds until the next one: steps, not slopes.
  const steps = (of) => points.flatMap((point, i) => [
    ...(i ? [`${x(point.at_s)},${y(points[i - 1][of])}`] : []), `${x(point.at_s)},${y(point[of])}`]);
  svg.replaceChildren(
    el("title", {}, "The last two minutes: asked (dashed), offered (line), delivered (filled)"),
    el("line", { class: "scale", x1: 0, x2: 240, y1: 44, y2: 44 }),
    el("polygon", { class: "fed", points: [`${x(points[0].at_s)},44`, ...steps("fed"), "240,44"].join(" ") }),
    el("polyline", { class: "asked", points: steps("asked").join(" ") }),
    el("polyline", { class: "offered", points: steps("offered").join(" ") }));
}

// ---- the rest --------------------------------------------------------------------------------

/** Draw a part again only when what it shows has changed. */
function unless_same(id, what, children) {
  const key = JSON.stringify(what);
  if (by(id).dataset.key === key) return;
  by(id).dataset.key = key;
  by(id).replaceChildren(...children());
}

function drawTotals(state) {
  const sum = (of) => state.guns.reduce((total, gun) => total + of(gun), 0);
  const feeding = state.modules.filter((module) => module.feeds !== null).length;
  const policy = state.assignment.policy + (state.assignment.fallback_from ? `, for ${state.assignment.fallback_from}` : "");
  by("totals").replaceChildren(...[
    ["Delivered", kw(sum(delivered))],
    ["Asked", kw(sum((gun) => gun.demand_kw))],
    ["Modules feeding", `${feeding} of ${state.modules.length}`],
    ["Site limit", state.site_limit.limit_kw === null ? "none" : kw(state.site_limit.limit_kw)],
    ["Policy", policy],
    ["Assignment", `no. ${state.assignment.sequence}`],
  ].map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function drawFaults({ faults }) {
  unless_same("faults", faults, () => faults.length ? faults.map((fault) => el("li", {}, fault.text,
    el("button", { type: "button", "aria-label": `Clear: ${fault.text}`,
      onclick: () => order("DELETE", `/faults/${encodeURIComponent(fault.id)}`) }, "Clear")))
    : [el("li", { class: "none" }, "None.")]);
}

function drawChain({ proof_tests, at_s }) {
  const date = (s) => new Date(s * 1000).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
  const next = (test) => test.under_way ? "under way" : test.due_s === null ? "by commission"
    : test.due_s <= at_s ? "now" : date(test.due_s);
  const shown = proof_tests.map((test) => [test, next(test)]);
  unless_same("chain", shown, () => [
    el("thead", {}, el("tr", {}, ...["test", "result", "last", "next due"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...shown.flatMap(([test, due]) => [
      el("tr", {}, el("th", { scope: "row" }, test.test), el("td", { class: test.verdict }, test.verdict),
        el("td", {}, test.tested_s === null ? "never" : date(test.tested_s)),
        el("td", { class: test.overdue ? "overdue" : null }, due, test.overdue ? " (overdue)" : "")),
      test.verdict === "failed" ? el("tr", { class: "why" }, el("td", { colspan: 4 }, test.said)) : null,
    ]).filter((row) => row !== null)),
  ]);
}

function drawNotes({ notes }) {
  unless_same("happened", notes.at(-1)?.number, () => notes.slice().reverse().map((note) =>
    el("li", {}, el("time", {}, new Date(note.at_s * 1000).toLocaleTimeString()), note.text)));
}

function drawWear(state) {
  const counts = state.contactors.map((contactor) => contactor.operations);
  const most = Math.max(1, ...counts);
  unless_same("wear", counts, () => table(state, (contactor) => el("td", {
    style: contactor && `background:color-mix(in srgb, var(--accent) ${Math.round((70 * contactor.operations) / most)}%, transparent)`,
  }, contactor ? String(contactor.operations) : "")));
}

function prepare(state) {
  by("station").textContent = state.station.name;
  document.title = `${state.station.name} · verified-alloc`;
  by("about").textContent = `verified-alloc ${state.station.version}: ${state.station.proof}`;
  by("kind").hidden = !state.station.simulated;
  by("simulation").hidden = !state.station.simulated;
  by("gun-list").replaceChildren();
  state.guns.forEach((gun) => makeCard(gun, state.station.simulated));
  const pairs = state.contactors.map(({ gun, module }) => `${gun}:${module}`);
  const modules = state.modules.map(({ module }) => String(module));
  const places = () => (by("fault-kind").value.startsWith("module") ? modules : pairs);
  const offer = () => by("fault-place").replaceChildren(...places().map((place) => el("option", {}, place)));
  by("fault-kind").replaceChildren(...FAULTS.map(([kind, words]) => el("option", { value: kind }, words)));
  by("fault-kind").onchange = offer;
  offer();
}

function draw(state) {
  if (started_s !== state.station.started_s) {
    started_s = state.station.started_s;
    history.clear();
    prepare(state);
  }
  remember(state);
  by("clock").textContent = clock(state.at_s - started_s);
  by("stopped").hidden = !state.stopped;
  drawTotals(state);
  drawMatrix(state);
  state.guns.forEach(drawCard);
  drawFaults(state);
  drawChain(state);
  drawNotes(state);
  drawWear(state);
}

// ---- to the station and back --------------------------------------------------------------------

/** Send an order; what the station says to it is shown; `quiet` shows only a refusal. */
async function order(method, path, body, quiet = false) {
  try {
    const answer = await fetch(`api${path}`, { method, headers: { "content-type": "application/json", ...authorization() },
      body: body === undefined ? undefined : JSON.stringify(body) });
    const { said, detail } = await answer.json();
    if (answer.status === 401) return askForToken();
    if (!answer.ok || !quiet) say(said ?? detail, !answer.ok);
  } catch {
    say("The station did not answer; nothing is known to have changed.", true);
  }
}

function say(text, refused = false) {
  by("said").textContent = text;
  by("said").classList.toggle("refused", refused);
}

/** A demand is told, and told again while somebody holds it: it would go stale. */
function ask(gun, again = false) {
  if (asking.has(gun)) order("PUT", `/guns/${gun}/demand`, { kw: asking.get(gun) }, again);
}

/** Nothing but a live stream is shown as live. */
function connection() {
  const silent_s = (Date.now() - heard_ms) / 1000;
  const live = latest !== null && silent_s * 1000 < STALE_MS && latest.scan.verified;
  document.body.classList.toggle("stale", !live);
  const words = latest === null ? "Connecting…"
    : live ? "Live"
    : silent_s * 1000 >= STALE_MS ? `Not live: nothing heard for ${Math.floor(silent_s)} s; what is shown is old`
    : "Not live: the last scan was not verified";
  if (by("connection").textContent !== words) by("connection").textContent = words;
}

const authorization = () => (token === null ? {} : { authorization: `Bearer ${token}` });

function askForToken() {
  if (!by("token").open) by("token").showModal();
}

/** Read the live stream for ever. By fetch, because EventSource cannot send a token. */
async function listen() {
  for (;;) {
    try {
      const answer = await fetch("api/stream", { headers: authorization() });
      if (answer.status === 401) askForToken();
      else if (answer.ok) await read(answer.body.pipeThrough(new TextDecoderStream()));
    } catch { /* gone: the page says since when nothing was heard */ }
    await new Promise((go_on) => setTimeout(go_on, RECONNECT_MS));
  }
}

async function read(stream) {
  let text = "";
  for await (const piece of chunks(stream)) {
    const events = (text + piece).split("\n\n");
    text = events.pop();
    const states = events.filter((event) => event.startsWith("event: state"));
    if (!states.length) continue;
    latest = JSON.parse(states.at(-1).split("\ndata: ")[1]);
    heard_ms = Date.now();
    draw(latest);
    connection();
  }
}

async function* chunks(stream) {
  const reader = stream.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value;
}

by("inject").addEventListener("submit", (event) => {
  event.preventDefault();
  order("POST", "/simulation/faults", { fault: `${by("fault-kind").value} ${by("fault-place").value}` });
});
by("let-go").addEventListener("click", () => {
  asking.clear();
  say("The guns go on with their day as soon as these demands have run out.");
});
// Twice, so that nobody stops a station by a slip; the button in the cabinet needs no second press.
by("stop").addEventListener("click", ({ target }) => {
  if (!target.classList.contains("armed")) {
    target.classList.add("armed");
    target.textContent = "Press again to stop";
    setTimeout(() => { target.classList.remove("armed"); target.textContent = "Emergency stop"; }, 4000);
  } else order("POST", "/emergency-stop");
});
by("clear-stop").addEventListener("click", () => order("DELETE", "/faults/emergency-stop"));
by("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
by("token").addEventListener("close", () => {
  token = by("token-text").value;
  sessionStorage.setItem("token", token);
});

function theme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("theme", name);
}

theme(localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"));
setInterval(connection, 500);
setInterval(() => asking.forEach((_, gun) => ask(gun, true)), ASK_AGAIN_MS);
listen();
