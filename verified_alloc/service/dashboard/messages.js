// All words of the page, in each language; what the station itself says (faults, reasons, events)
// is English, and in German as far as german.js has words for it. Numbers and times are written as the
// language does, times in the station's zone.

import { set } from "./elements.js";
import { in_german } from "./german.js";

const WORDS = {
  en: {
    "tab.guns": "Guns", "tab.matrix": "Matrix", "tab.faults": "Faults", "tab.history": "History",
    "tab.events": "Events", "tab.service": "Service", "nav": "Views",
    "skip": "To the content", "simulated": "simulated", "theme": "Dark or light", "language": "Auf Deutsch",
    "connecting": "Connecting…", "well": "No faults",
    "silent": "Not live: nothing heard, what is shown is old", "unverified": "The last scan was not verified",
    "ending": "The station is ending", "stopped": "Stopped", "faults": "{n} faults: {what}", "fault": "1 fault: {what}",
    "more": "and {n} more", "out": "Out of service: {what}", "overdue": "Proof test overdue: {what}",
    "stop": "Stop all", "stop.sending": "Stopping…", "stop.unsure": "Sent, not confirmed", "stop.done": "Stopped",
    "stop.again": "The stop is not confirmed; it is sent again. If in doubt, press the button in the cabinet.",
    "stop.refused": "Not stopped: {why}",
    "stopped.why": "Stopped: everything is off until this is cleared.", "stopped.clear": "Clear the stop",
    "silent.answer": "The station did not answer; nothing is known to have changed.",
    "token": "This station asks for its token", "token.go": "Go on",
    "totals": "The station in figures", "delivered": "Delivered", "asked": "Asked", "feeding": "Modules feeding",
    "of": "{n} of {all}", "limit": "Site limit", "at-grid": "Offered, at the grid", "none": "none", "policy": "Policy", "assignment": "Assignment",
    "number": "no. {n}", "standing-in": "{policy}, for {name}",
    "matrix": "Modules on guns", "matrix.alt": "Which modules feed which guns; the same as a table follows",
    "matrix.table": "Contactors, a row for each gun", "gun": "gun {n}", "one-gun": "gun", "Gun": "Gun {n}", "no-contactor": "none",
    "open": "open", "coming": "on its way", "closed": "closed, module off", "live": "feeds", "welded": "welded",
    "welded-live": "welded, feeds", "failed": "failed open", "unknown": "unknown: its expander is lost",
    "module.failed": "failed", "module.lost": "lost", "module.out": "out", "gun.locked": "locked", "gun.out": "out",
    "legend.module": "PM: failed, lost (its expander does not answer), out (of service)",
    "guns": "Guns", "no-module": "no module", "asks": "asks", "may": "may draw", "could": "could get", "alone": "alone",
    "by-limit": "site limit", "why": "Why", "set": "set", "demand-of": "Demand of gun {n}, kW",
    "curve": "The last two minutes of gun {n}: asked dashed, offered as a line, delivered filled",
    "locked": "Locked: joined to another gun, or on a module that does not switch off.",
    "gun-out": "Out of service.", "stale": "Its demand was not renewed and counts as 0.",
    "held": "Its modules are held for {s} s.",
    "kept": "Keeps PM{modules} until {until} unless somebody needs it after its dwell.",
    "short": "Short by {kw}.", "short-limit": "Short by {kw}: site limit {limit}.",
    "no-faults": "None.", "since": "since {when}", "since-before": "since before the start",
    "costs": "Costs the station {kw}.", "costs-guns": "Up to {kw} less for {guns}.", "costs-nothing": "Costs nothing more as things are.", "keeps": "Keeps {modules} from {guns}.", "guns-list": "guns {guns}",
    "critical": "critical", "serious": "serious", "minor": "minor",
    "warning": "warning", "info": "info", "acknowledge": "Acknowledge", "acknowledged": "seen {when}", "clear": "Clear",
    "refused": "Refused: {why}", "put-back": "Put back",
    "chain": "Safety chain: proof tests", "test": "test", "result": "result", "last": "last", "next": "next due",
    "passed": "passed", "verdict.failed": "failed", "not tested": "not tested", "never": "never", "under-way": "under way",
    "by-commission": "by commission", "now": "now", "overdue-mark": "(overdue)",
    "history": "Power of each gun", "hours.1": "1 hour", "hours.24": "24 hours", "hours.168": "7 days", "range": "Time span",
    "no-journal": "No journal is kept: run --journal FILE keeps one.", "reading": "The journal is still being read…",
    "not-measured": "Nobody measures on the wires: this is what a gun was offered, as far as modules fed it. A vehicle may have drawn less.",
    "energy": "Energy by day, kWh", "day": "day", "total": "total", "sessions": "Sessions", "from": "from", "until": "until",
    "lasted": "lasted", "most": "most", "under-way-still": "under way", "curve-of": "averages up to {kw}, {kwh}",
    "chart-alt": "Power of gun {n}; the energy by day follows as a table",
    "events": "Search the journal", "words": "Words", "severity": "Severity", "all": "all", "warnings": "warnings and worse",
    "criticals": "critical only", "search": "Search", "csv": "Save as CSV", "nothing-found": "Nothing found.",
    "not-all": "There are more; narrow the search.", "happened": "Latest", "when": "when", "what": "what", "zone": "Times in {zone}",
    "service": "In and out of service", "take-out": "Take out",
    "in-service": "in service", "out-of-service": "out of service", "welded-to": "welded to {gun}", "hold": "Hold 60 s",
    "let-go": "Let go", "site-limit": "Site limit",
    "limit-now": "In force: {now}. The station's own: {own}.", "limit-kw": "Limit, kW", "set-limit": "Set", "remove-limit": "Remove all",
    "limits": "Limits that stand", "limit-next": "Next change: {at}.", "limit-rises": "A higher one counts from {at}.", "own-limit": "At its own limit of {limit}.", "by-own-limit": "its own limit",
    "limits.of": "of", "limits.purpose": "purpose", "limits.level": "level", "limits.now": "now", "limits.until": "until",
    "limits.all": "all together", "limits.every": "every gun",
    "purpose.external": "grid", "purpose.station": "station", "purpose.default": "each session", "purpose.session": "one session",
    "policy-choice": "Share power by",
    "policy.documented": "The highest demand is served first, lowest-numbered free modules first.",
    "policy.priority": "The highest demand is served first, each gun with the most that can be.",
    "policy.max-power": "The most power in total, then the highest demand first.",
    "policy.fair": "The smallest share is made as large as it can be.",
    "wear": "Operations of each contactor", "simulation": "Simulation: break something", "inject": "Inject",
    "inject-fault": "Fault", "inject-at": "at", "slider": "A slider holds its gun's demand.", "release": "Let all guns go on with their day",
    "released": "The guns go on with their day as soon as these demands have run out.",
    "break.weld": "contactor welds", "break.failed-open": "contactor fails open", "break.late-release": "contactor opens late",
    "break.aux-stuck-closed": "auxiliary contact stuck closed", "break.aux-broken-wire": "auxiliary contact's wire breaks",
    "break.module-dead": "module does not come on", "break.module-stuck-on": "module does not go off",
  },
  de: {
    "tab.guns": "Stecker", "tab.matrix": "Matrix", "tab.faults": "Störungen", "tab.history": "Verlauf",
    "tab.events": "Ereignisse", "tab.service": "Bedienen", "nav": "Ansichten",
    "skip": "Zum Inhalt", "simulated": "simuliert", "theme": "Dunkel oder hell", "language": "In English",
    "connecting": "Verbinde …", "well": "Keine Störungen",
    "silent": "Nicht aktuell: nichts gehört, das Gezeigte ist alt", "unverified": "Der letzte Zyklus ist nicht bestätigt",
    "ending": "Die Station wird beendet", "stopped": "Angehalten", "faults": "{n} Störungen: {what}", "fault": "1 Störung: {what}",
    "more": "und {n} weitere", "out": "Außer Betrieb: {what}", "overdue": "Wiederholungsprüfung überfällig: {what}",
    "stop": "Alles aus", "stop.sending": "Halte an …", "stop.unsure": "Gesendet, nicht bestätigt", "stop.done": "Angehalten",
    "stop.again": "Das Anhalten ist nicht bestätigt; es wird erneut gesendet. Im Zweifel den Taster im Schrank drücken.",
    "stop.refused": "Nicht angehalten: {why}",
    "stopped.why": "Angehalten: alles ist aus, bis dies aufgehoben wird.", "stopped.clear": "Aufheben",
    "silent.answer": "Die Station hat nicht geantwortet; ob sich etwas geändert hat, ist unbekannt.",
    "token": "Diese Station verlangt ihr Token", "token.go": "Weiter",
    "totals": "Die Station in Zahlen", "delivered": "Abgabe", "asked": "Bedarf", "feeding": "Module am Netz",
    "of": "{n} von {all}", "limit": "Anschlussgrenze", "at-grid": "Angeboten, am Netz", "none": "keine", "policy": "Regel", "assignment": "Zuteilung",
    "number": "Nr. {n}", "standing-in": "{policy}, anstelle von {name}",
    "matrix": "Module an Steckern", "matrix.alt": "Welche Module welche Stecker speisen; dasselbe folgt als Tabelle",
    "matrix.table": "Schütze, eine Zeile je Stecker", "gun": "Stecker {n}", "one-gun": "Stecker", "Gun": "Stecker {n}", "no-contactor": "keines",
    "open": "offen", "coming": "schließt gleich", "closed": "geschlossen, Modul aus", "live": "speist", "welded": "verschweißt",
    "welded-live": "verschweißt, speist", "failed": "schließt nicht", "unknown": "unbekannt: sein Expander fehlt",
    "module.failed": "defekt", "module.lost": "fehlt", "module.out": "a. B.", "gun.locked": "gesperrt", "gun.out": "a. B.",
    "legend.module": "PM: defekt, fehlt (sein Expander antwortet nicht), a. B. (außer Betrieb)",
    "guns": "Stecker", "no-module": "kein Modul", "asks": "will", "may": "darf", "could": "könnte", "alone": "allein",
    "by-limit": "Anschlussgrenze", "why": "Warum", "set": "Soll", "demand-of": "Bedarf von Stecker {n}, kW",
    "curve": "Die letzten zwei Minuten von Stecker {n}: Bedarf gestrichelt, Angebot als Linie, Abgabe gefüllt",
    "locked": "Gesperrt: mit einem anderen Stecker verbunden, oder an einem Modul, das nicht abschaltet.",
    "gun-out": "Außer Betrieb.", "stale": "Sein Bedarf wurde nicht erneuert und zählt als 0.",
    "held": "Seine Module sind noch {s} s gehalten.",
    "kept": "Behält PM{modules} bis {until}, falls sie nach ihrer Ruhezeit niemand braucht.",
    "short": "Es fehlen {kw}.", "short-limit": "Es fehlen {kw}: Anschlussgrenze {limit}.",
    "no-faults": "Keine.", "since": "seit {when}", "since-before": "seit vor dem Start",
    "costs": "Kostet die Station {kw}.", "costs-guns": "Bis zu {kw} weniger für {guns}.", "costs-nothing": "Kostet derzeit nichts weiter.", "keeps": "Entzieht {modules} {guns}.", "guns-list": "Stecker {guns}",
    "critical": "kritisch", "serious": "ernst", "minor": "gering",
    "warning": "Warnung", "info": "Hinweis", "acknowledge": "Gesehen", "acknowledged": "gesehen {when}", "clear": "Löschen",
    "refused": "Abgelehnt: {why}", "put-back": "In Betrieb",
    "chain": "Sicherheitskette: Wiederholungsprüfungen", "test": "Prüfung", "result": "Ergebnis", "last": "zuletzt", "next": "fällig",
    "passed": "bestanden", "verdict.failed": "nicht bestanden", "not tested": "nicht geprüft", "never": "nie", "under-way": "läuft",
    "by-commission": "bei Inbetriebnahme", "now": "jetzt", "overdue-mark": "(überfällig)",
    "history": "Leistung je Stecker", "hours.1": "1 Stunde", "hours.24": "24 Stunden", "hours.168": "7 Tage", "range": "Zeitraum",
    "no-journal": "Es wird kein Journal geführt: run --journal DATEI führt eines.", "reading": "Das Journal wird noch gelesen …",
    "not-measured": "An den Leitungen misst niemand: dies ist, was einem Stecker angeboten war, soweit Module ihn speisten. Ein Fahrzeug kann weniger bezogen haben.",
    "energy": "Energie je Tag, kWh", "day": "Tag", "total": "Summe", "sessions": "Ladevorgänge", "from": "von", "until": "bis",
    "lasted": "Dauer", "most": "höchstens", "under-way-still": "läuft", "curve-of": "Mittelwerte bis {kw}, {kwh}",
    "chart-alt": "Leistung von Stecker {n}; die Energie je Tag folgt als Tabelle",
    "events": "Im Journal suchen", "words": "Wörter", "severity": "Schwere", "all": "alle", "warnings": "Warnungen und Schlimmeres",
    "criticals": "nur kritische", "search": "Suchen", "csv": "Als CSV speichern", "nothing-found": "Nichts gefunden.",
    "not-all": "Es gibt mehr; Suche eingrenzen.", "happened": "Neueste", "when": "wann", "what": "was", "zone": "Zeiten in {zone}",
    "service": "In und außer Betrieb", "take-out": "Herausnehmen",
    "in-service": "in Betrieb", "out-of-service": "außer Betrieb", "welded-to": "verschweißt an {gun}", "hold": "60 s halten",
    "let-go": "Freigeben", "site-limit": "Anschlussgrenze",
    "limit-now": "Gilt: {now}. Eigene der Station: {own}.", "limit-kw": "Grenze, kW", "set-limit": "Setzen", "remove-limit": "Alle aufheben",
    "limits": "Bestehende Grenzen", "limit-next": "Nächste Änderung: {at}.", "limit-rises": "Eine höhere gilt ab {at}.", "own-limit": "An seiner eigenen Grenze von {limit}.", "by-own-limit": "eigene Grenze",
    "limits.of": "für", "limits.purpose": "Zweck", "limits.level": "Stufe", "limits.now": "jetzt", "limits.until": "bis",
    "limits.all": "alle zusammen", "limits.every": "jeder Stecker",
    "purpose.external": "Netz", "purpose.station": "Station", "purpose.default": "je Ladevorgang", "purpose.session": "ein Ladevorgang",
    "policy-choice": "Verteilen nach",
    "policy.documented": "Der höchste Bedarf zuerst, freie Module mit der kleinsten Nummer zuerst.",
    "policy.priority": "Der höchste Bedarf zuerst, jeder Stecker mit dem Meisten, das geht.",
    "policy.max-power": "Die größte Summe, dann der höchste Bedarf zuerst.",
    "policy.fair": "Der kleinste Anteil wird so groß wie möglich.",
    "wear": "Schaltspiele je Schütz", "simulation": "Simulation: etwas kaputt machen", "inject": "Auslösen",
    "inject-fault": "Störung", "inject-at": "an", "slider": "Ein Regler hält den Bedarf seines Steckers.", "release": "Alle Stecker ihrem Tag überlassen",
    "released": "Die Stecker folgen wieder ihrem Tag, sobald diese Vorgaben abgelaufen sind.",
    "break.weld": "Schütz verschweißt", "break.failed-open": "Schütz schließt nicht", "break.late-release": "Schütz öffnet spät",
    "break.aux-stuck-closed": "Hilfskontakt klebt", "break.aux-broken-wire": "Draht des Hilfskontakts bricht",
    "break.module-dead": "Modul geht nicht an", "break.module-stuck-on": "Modul geht nicht aus",
  },
};

export const language = localStorage.getItem("language") ?? (navigator.language.startsWith("de") ? "de" : "en");
export const LANGUAGES = Object.keys(WORDS);
export const words_of = (name) => WORDS[name];

/** The words for it in the page's language, with what is to be said in their places. */
export function t(name, what = {}) {
  return WORDS[language][name].replace(/\{(\w+)\}/g, (_, key) => what[key]);
}

/** What the station said, in the page's language if there are words for it. */
export const said = (text) => (language === "de" ? in_german(text) : null) ?? text;

/** The same in an element, with the language that it is in. */
export function quote(element, text) {
  const words = said(text);
  set(element, words, { lang: words === text ? "en" : language });
}

/** The other language, from now on. */
export function change_language() {
  localStorage.setItem("language", language === "de" ? "en" : "de");
  location.reload();
}

/** Every element that names its words, in the page and before it is shown. */
export function translate() {
  document.documentElement.lang = language;
  for (const one of document.querySelectorAll("[data-t]")) one.textContent = t(one.dataset.t);
  for (const one of document.querySelectorAll("[data-t-label]")) one.setAttribute("aria-label", t(one.dataset.tLabel));
}

// ---- numbers and times ----------------------------------------------------------------------------

let zone;
export function keep_zone(name) {
  try {
    new Intl.DateTimeFormat(language, { timeZone: name });
    zone = name;
  } catch { /* a browser that does not know it goes by its own */ }
}
export const zone_name = () => zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;

const number = (least) => new Intl.NumberFormat(language, { minimumFractionDigits: least, maximumFractionDigits: 1, useGrouping: false });
const [one_digit, always_one] = [number(0), number(1)];
export const kw = (value) => `${one_digit.format(value)} kW`;
export const kwh = (value) => `${one_digit.format(value)} kWh`;
export const decimal = (value) => always_one.format(value);
const at = (s, how) => new Date(s * 1000).toLocaleString(language === "en" ? "en-GB" : "de-DE", { timeZone: zone, ...how });
export const time_of = (s) => at(s, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const minute_of = (s) => at(s, { hour: "2-digit", minute: "2-digit" });
export const day_of = (s) => at(s, { weekday: "short", day: "numeric", month: "numeric" });
export const date_of = (s) => at(s, { dateStyle: "short", timeStyle: "short" });
export const moment_of = (s) => at(s, { dateStyle: "short", timeStyle: "medium" });
export const span_of = (s) => s < 3600 ? `${Math.round(s / 60)} min` : `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;

/** Unix time of what a date field says, as the station's clocks show it. */
export function unix_of(text) {
  const wanted = Date.parse(`${text}Z`);
  let found = wanted;
  for (let i = 0; i < 2; i++) {
    const parts = Object.fromEntries(new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric",
      month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" })
      .formatToParts(found).map(({ type, value }) => [type, value]));
    const shown = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
    found += wanted - shown;
  }
  return found / 1000;
}
