// What is wrong: in the header in a line, and each fault with its time, its cost and its remedy.

import { by, el, keyed, set, unless_same } from "./elements.js";
import { order } from "./link.js";
import { date_of, kw, moment_of, quote, said, t } from "./messages.js";

const NAMED = 2;

/** Everything that is wrong, the worst first: how bad, and in which words. */
export function problems(state) {
  const found = [];
  const some = (texts) => [...texts.slice(0, NAMED), ...(texts.length > NAMED ? [t("more", { n: texts.length - NAMED })] : [])].join("; ");
  if (state.stopped) found.push(["bad", t("stopped")]);
  if (!state.healthy) found.push(["bad", t("unverified")]);
  if (state.phase === "ending") found.push(["bad", t("ending")]);
  const grave = ({ severity }) => ["critical", "serious", "minor"].indexOf(severity);
  const faults = state.faults.filter(({ id }) => id !== "emergency-stop").sort((a, b) => grave(a) - grave(b)).map(({ text }) => said(text));
  if (faults.length) found.push(["bad", t(faults.length > 1 ? "faults" : "fault", { n: faults.length, what: some(faults) })]);
  for (const alarm of state.alarms) found.push(["bad", said(alarm)]);
  const out = [...state.guns.filter((gun) => !gun.in_service).map(({ gun }) => t("gun", { n: gun })),
    ...state.modules.filter((module) => !module.in_service).map(({ module }) => `PM${module}`)];
  if (out.length) found.push(["warn", t("out", { what: out.join(", ") })]);
  const overdue = state.proof_tests.filter((test) => test.overdue).map(({ test }) => said(test));
  if (overdue.length) found.push(["warn", t("overdue", { what: some(overdue) })]);
  return found;
}

const guns_named = (guns) => guns.length > 1 ? t("guns-list", { guns: guns.join(", ") }) : t("gun", { n: guns[0] });

/** What the station and its guns could do more without it. */
function costs_of({ costs, costs_kw, keeps }) {
  const losses = Map.groupBy(costs, (cost) => cost.lost_kw);
  const modules = Map.groupBy(keeps, (kept) => guns_named(kept.guns));
  const words = [...(costs_kw ? [t("costs", { kw: kw(costs_kw) })] : []),
    ...[...losses].map(([power, those]) => t("costs-guns", { guns: guns_named(those.map(({ gun }) => gun)), kw: kw(power) })),
    ...[...modules].map(([guns, those]) => t("keeps", { guns, modules: those.map(({ module }) => `PM${module}`).join(", ") }))];
  return words.length ? words.join(" ") : t("costs-nothing");
}

function fault_of({ id, text }) {
  const answer = el("p", { class: "answer", role: "status" });
  const send = (method, path) => () => order(method, `/faults/${encodeURIComponent(id)}${path}`, undefined, { place: answer });
  const button = (kind, onclick) => el("button", { type: "button", class: kind, "aria-label": `${t(kind)}: ${said(text)}`, onclick }, t(kind));
  return el("li", { class: "fault" },
    el("h3", {}, el("span", { class: "severity" }), el("span", { class: "text" })),
    el("p", { class: "since" }), el("p", { class: "costs" }), el("p", { class: "to-do" }),
    el("div", { class: "buttons" },
      button("acknowledge", send("POST", "/acknowledgement")), button("clear", send("DELETE", "")), answer));
}

export function draw_faults(state) {
  const worst = ["critical", "serious", "minor"];
  const faults = state.faults.slice().sort((a, b) => worst.indexOf(a.severity) - worst.indexOf(b.severity));
  keyed(by("faults"), faults, ({ id }) => id, fault_of, (one, fault) => {
    const find = (selector) => one.querySelector(selector);
    set(find(".severity"), t(fault.severity), { class: `severity ${fault.severity}` });
    quote(find(".text"), fault.text);
    const seen = fault.acknowledged_at ? `, ${t("acknowledged", { when: date_of(fault.acknowledged_at) })}` : "";
    set(find(".since"), (fault.since_at ? t("since", { when: moment_of(fault.since_at) }) : t("since-before")) + seen);
    set(find(".costs"), costs_of(fault));
    quote(find(".to-do"), fault.to_do);
    find(".acknowledge").hidden = Boolean(fault.acknowledged_at);
  });
  by("no-faults").hidden = faults.length > 0;
  const count = state.faults.length;
  set(by("fault-count"), count ? String(count) : "");
}

export function draw_chain({ proof_tests, at }) {
  const next = (test) => test.under_way ? t("under-way") : test.due_at == null ? t("by-commission")
    : test.due_at <= at ? t("now") : date_of(test.due_at);
  const shown = proof_tests.map((test) => [test, next(test)]);
  unless_same(by("chain"), shown, () => [
    el("thead", {}, el("tr", {}, ...["test", "result", "last", "next"].map((head) => el("th", { scope: "col" }, t(head))))),
    el("tbody", {}, ...shown.flatMap(([test, due]) => [
      el("tr", {}, el("th", { scope: "row" }, said(test.test)),
        el("td", { class: test.verdict }, t(test.verdict === "failed" ? "verdict.failed" : test.verdict)),
        el("td", {}, test.tested_at == null ? t("never") : date_of(test.tested_at)),
        el("td", { class: test.overdue ? "overdue" : null }, due, test.overdue ? ` ${t("overdue-mark")}` : "")),
      test.verdict === "failed" ? el("tr", { class: "why" }, el("td", { colspan: 4, lang: "en" }, test.said)) : null,
    ]).filter((row) => row !== null)),
  ]);
}
