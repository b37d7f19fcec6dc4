// Stop all. The first press acts: a stop does no harm, and everything that it ends can begin again.
// It goes its own way to the station, whatever has become of the stream, and is sent until it is
// confirmed: by the station's answer, or by what the stream shows.

import { by, set } from "./elements.js";
import { ask, order, say } from "./link.js";
import { t } from "./messages.js";

const AGAIN_MS = 1000;
const TIMES = 30;

let stopped = false;
let sending = false;

function label(name) {
  set(by("stop"), t(name), { class: `stop ${name.replace(".", "-")}` });
}

async function stop() {
  if (sending) return;
  sending = true;
  by("stop-said").textContent = "";
  label("stop.sending");
  let confirmed = false;
  for (let times = 0; times < TIMES && !confirmed && !stopped; times++) {
    if (times) await new Promise((go_on) => setTimeout(go_on, AGAIN_MS));
    const { ok, status, said } = await ask("POST", "/emergency-stop");
    confirmed = ok;
    if (ok) say(said);
    else if (status !== 0 && status < 500) {
      by("stop-said").textContent = t("stop.refused", { why: said });
      break;
    } else if (!stopped) {
      label("stop.unsure");
      by("stop-said").textContent = t("stop.again");
    }
  }
  sending = false;
  if (confirmed || stopped) by("stop-said").textContent = "";
  label(confirmed || stopped ? "stop.done" : by("stop").classList.contains("stop-unsure") ? "stop.unsure" : "stop");
}

export function draw_stop(state) {
  const changed = stopped !== state.stopped;
  stopped = state.stopped;
  by("stopped").hidden = !stopped;
  if (!sending && changed) {
    label(stopped ? "stop.done" : "stop");
    if (stopped) by("stop-said").textContent = "";
    else by("clear-said").textContent = "";
  }
}

by("stop").addEventListener("click", stop);
by("clear-stop").addEventListener("click", () => order("DELETE", "/faults/emergency-stop", undefined, { place: by("clear-said") }));
