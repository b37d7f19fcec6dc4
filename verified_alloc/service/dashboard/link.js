// To the station and back: the live stream, put together from changes, and orders.

import { by } from "./elements.js";
import { said, t } from "./messages.js";

const RECONNECT_MS = 1000;
const ANSWER_MS = 4000;
const SAID_MS = 8000;
const IDS = { guns: ["gun"], modules: ["module"], contactors: ["gun", "module"], faults: ["id"], proof_tests: ["test"], notes: ["number"] };

let token = sessionStorage.getItem("token");
let state = null;
let last_id = null;
let let_go = null;

export const heard = { at_ms: 0 };
const authorization = () => (token === null ? {} : { authorization: `Bearer ${token}` });

/** Ask for something; its answer, or what went wrong: `ok`, `status` (0: no answer), `said`, `data`. */
export async function ask(method, path, body) {
  try {
    const answer = await fetch(`api/v1${path}`, { method, keepalive: method !== "GET", signal: AbortSignal.timeout(ANSWER_MS),
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...authorization() },
      body: body === undefined ? undefined : JSON.stringify(body) });
    if (answer.status === 401 && !by("token").open) by("token").showModal();
    const data = answer.headers.get("content-type")?.includes("json") ? await answer.json() : await answer.blob();
    return { ok: answer.ok, status: answer.status, said: said(data.said ?? data.detail ?? ""), data };
  } catch {
    return { ok: false, status: 0, said: t("silent.answer") };
  }
}

/** Words in their place: beside a button a refusal stays until the next press, all else goes. */
export function say(words, place = by("said"), refused = false) {
  place.textContent = words;
  place.classList.toggle("refused", refused);
  if (!refused || place === by("said")) setTimeout(() => { if (place.textContent === words) place.textContent = ""; }, SAID_MS);
}

/** Send an order; what the station says to it stands in `place`; `quiet` shows only a refusal. */
export async function order(method, path, body, { place = by("said"), quiet = false } = {}) {
  const answer = await ask(method, path, body);
  if (!answer.ok || !quiet) {
    const refused = answer.status >= 400 && answer.status < 500;
    say(refused ? t("refused", { why: answer.said }) : answer.said, place, !answer.ok);
  }
  return answer;
}

/** JSON merge patch (RFC 7396). */
function merged(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const whole = target !== null && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete whole[key];
    else whole[key] = merged(whole[key], value);
  }
  return whole;
}

const by_ids = (whole) => merged(whole, Object.fromEntries(Object.entries(IDS).map(([key, ids]) =>
  [key, Object.fromEntries(whole[key].map((one) => [ids.map((id) => one[id]).join(":"), one]))])));
const as_lists = (named) => ({ ...named, ...Object.fromEntries(Object.keys(IDS).map((key) => [key, Object.values(named[key])])) });

/** Read the live stream for ever, while somebody looks. By fetch, because EventSource cannot send a
 * token. A page that is hidden gives its connection back: a browser has only six for a station. */
export async function listen(show) {
  for (;;) {
    while (document.hidden) await new Promise((go_on) => document.addEventListener("visibilitychange", go_on, { once: true }));
    let_go = new AbortController();
    try {
      const answer = await fetch("api/v1/stream", { signal: let_go.signal,
        headers: { ...authorization(), ...(last_id === null ? {} : { "last-event-id": last_id }) } });
      if (answer.status === 401 && !by("token").open) by("token").showModal();
      else if (answer.ok) await read(answer.body.pipeThrough(new TextDecoderStream()), show);
    } catch { /* gone: the page says since when nothing was heard */ }
    await new Promise((go_on) => setTimeout(go_on, RECONNECT_MS));
  }
}

async function read(stream, show) {
  let text = "";
  for await (const piece of chunks(stream)) {
    const events = (text + piece).split("\n\n");
    text = events.pop();
    const before = state;
    for (const event of events) take(event);
    if (state !== before) {
      heard.at_ms = Date.now();
      show(as_lists(state));
    }
  }
}

function take(event) {
  const { event: kind, id, data } = Object.fromEntries(event.split("\n").map((line) => {
    const at = line.indexOf(": ");
    return [line.slice(0, at), line.slice(at + 2)];
  }));
  if (kind === "state") state = by_ids(JSON.parse(data));
  else if (kind === "changes" && state !== null) state = merged(state, JSON.parse(data));
  else return;
  last_id = id;
}

async function* chunks(stream) {
  const reader = stream.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value;
}

document.addEventListener("visibilitychange", () => { if (document.hidden) let_go?.abort(); });
by("token").addEventListener("close", () => {
  token = by("token-text").value;
  sessionStorage.setItem("token", token);
});
