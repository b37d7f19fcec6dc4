// What the station says in English, in German: a table of its sentences. What stands in braces is
// carried over; the letters of its name say what it is. A sentence that is not here stays English.

const KW = String.raw`[\d.]+ kW`;
const PM = String.raw`(?:PM\d+(?:-\d+)?(?:, PM\d+(?:-\d+)?)*|none)`;
const listed = (one) => `${one}(?:(?:, | and )${one})*`;
const KINDS = {
  n: String.raw`\d+`, s: String.raw`[\d.]+`, kw: KW, pm: PM, count: String.raw`\d+ modules?`, pair: String.raw`\d+:\d+`, id: String.raw`[\w:-]+`,
  guns: listed(String.raw`gun \d+(?: \(${PM}\))?`), numbers: String.raw`\d+(?:, \d+)*`,
  limits: listed(String.raw`[Tt]he (?:site )?limit of ${KW}(?:, ${KW} of DC,?)?(?: that ${PM} share)?`),
  x: "[^;]+?", rest: ".+",
};

const AFTER = [
  ["Then clear it.", "Dann löschen."],
  ["Then clear it, once its auxiliary contact follows the command.", "Dann löschen, sobald der Hilfskontakt dem Befehl folgt."],
  ["Then clear it, once it reads off.", "Dann löschen, sobald es „aus“ meldet."],
  ["Then clear it, once both answer.", "Dann löschen, sobald beide antworten."],
];
const TO_DO = [
  ["Switch off, lock out and replace contactor {pair}; look at its auxiliary contact too.",
    "Freischalten, sichern und Schütz {pair} ersetzen; auch seinen Hilfskontakt ansehen."],
  ["Switch off, lock out and check coil, coil driver and auxiliary contact of contactor {pair}.",
    "Freischalten, sichern und Spule, Spulentreiber und Hilfskontakt von Schütz {pair} prüfen."],
  ["Check the supply, the enable line and the status line of {pm}, or replace it.",
    "Versorgung, Freigabe- und Statusleitung von {pm} prüfen, oder es ersetzen."],
  ["Switch off the supply of {pm}: it feeds gun {n} though told not to. Check its enable and status lines.",
    "Versorgung von {pm} abschalten: es speist Stecker {n}, obwohl es nicht soll. Freigabe- und Statusleitung prüfen."],
  ["Check the supply and the bus of expanders {x1} and {x2}; their modules may be sound.",
    "Versorgung und Bus der Expander {x1} und {x2} prüfen; ihre Module können in Ordnung sein."],
  ["Switch off the supply of {pm} and check its enable and status lines.",
    "Versorgung von {pm} abschalten, Freigabe- und Statusleitung prüfen."],
  ["Find what holds the enable line of {pm} high: its wire, its driver, a jumper.",
    "Suchen, was die Freigabeleitung von {pm} auf High hält: Leitung, Treiber, eine Brücke."],
  ["Find out who pressed the button and why, then release it.", "Klären, wer den Taster gedrückt hat und warum; dann entriegeln."],
  ["Find out who stopped the station and why.", "Klären, wer die Station angehalten hat und warum."],
];
const FAULTS = [
  ["contactor {pair} is welded", "Schütz {pair} ist verschweißt"],
  ["contactor {pair} failed open", "Schütz {pair} schließt nicht"],
  ["contactor {pair} has failed open", "Schütz {pair} schließt nicht"],
  ["{pm} does not report on", "{pm} meldet nicht „ein“"],
  ["{pm} does not switch off; gun {n} is locked", "{pm} schaltet nicht ab; Stecker {n} ist gesperrt"],
  ["expanders {x1} and {x2} are lost; their modules are out until that is cleared",
    "Expander {x1} und {x2} fehlen; ihre Module fallen aus, bis das gelöscht wird"],
  ["{pm} reports on although it is disabled", "{pm} meldet „ein“ ohne Freigabe"],
  ["the enable line of {pm} is held high; everything is off until that is cleared",
    "Freigabeleitung von {pm} wird auf High gehalten; alles ist aus, bis das gelöscht wird"],
  ["emergency stop; everything is off until that is cleared", "Not-Halt; alles ist aus, bis das gelöscht wird"],
  ["stopped as told; everything is off until that is cleared", "angehalten wie verlangt; alles ist aus, bis das gelöscht wird"],
  ["gun {n} is out of service", "Stecker {n} ist außer Betrieb"],
  ["{pm} is out of service", "{pm} ist außer Betrieb"],
  ["gun {n} is in service", "Stecker {n} ist in Betrieb"],
  ["{pm} is in service", "{pm} ist in Betrieb"],
  ["relay watchdog", "Watchdog-Relais"], ["emergency stop", "Not-Halt"], ["enable lines", "Freigabeleitungen"], ["RESET", "RESET"],
  ["no contactor closes: is the relay supply there?", "kein Schütz schließt: ist die Relaisversorgung da?"],
  ["contactors close again", "Schütze schließen wieder"],
  ["no expander answers: is the I2C bus held, are they supplied?", "kein Expander antwortet: hängt der I2C-Bus, sind sie versorgt?"],
  ["expanders answer again", "Expander antworten wieder"],
  ["limits: nobody has told any for {n} s; the failsafe value counts, {kw}",
    "Grenzen: seit {n} s hat niemand eine vorgegeben; es gilt der Ersatzwert, {kw}"],
  ["limits: what was told is not known; {kw} until a site limit is told",
    "Grenzen: was vorgegeben war, ist unbekannt; {kw}, bis eine Anschlussgrenze vorgegeben wird"],
  ["limits: somebody is there again; what was told counts", "Grenzen: es ist wieder jemand da; es gilt, was vorgegeben ist"],
  ["the clock has not been set: of limits with a date the lowest value counts",
    "die Uhr ist nicht gestellt: von Grenzen mit Datum gilt der kleinste Wert"],
];
const WHY = [
  ["The station is stopped: no demand counts.", "Die Station ist angehalten: kein Bedarf zählt."],
  ["The station is ending: no demand counts.", "Die Station wird beendet: kein Bedarf zählt."],
  ["Why is being worked out.", "Der Grund wird ermittelt."],
  ["Why was not worked out within {s} s.", "Der Grund wurde nicht binnen {s} s ermittelt."],
  ["Why was not found out: {x}.", "Der Grund wurde nicht gefunden: {x}."],
  ["Gun {n} asks for nothing and gets nothing.", "Stecker {n} will nichts und bekommt nichts."],
  ["Gun {n} asks for {kw}.", "Stecker {n} will {kw}."],
  ["Gun {n} asks for {kw1}, more than its maximum, and is given at most that, {kw2}.",
    "Stecker {n} will {kw1}, mehr als sein Höchstes, und bekommt höchstens das, {kw2}."],
  ["Gun {n} asks for more than its own limit of {kw}, and that is what counts.",
    "Stecker {n} will mehr als seine eigene Grenze von {kw}, und die zählt."],
  ["Gun {n} asks for more than its own limit of {kw}, and gets nothing.",
    "Stecker {n} will mehr als seine eigene Grenze von {kw} und bekommt nichts."],
  ["It is out of service.", "Er ist außer Betrieb."],
  ["It gets nothing.", "Er bekommt nichts."],
  ["{pm} is welded to it and to {guns}: they are joined, and none of them can be served.",
    "{pm} ist an ihm und an {guns} verschweißt: sie sind verbunden, und keiner davon kann bedient werden."],
  ["{pm} has failed and is welded to it, so it cannot be served.", "{pm} ist defekt und an ihm verschweißt; er kann nicht bedient werden."],
  ["It is served first.", "Er wird zuerst bedient."],
  ["Served before it: {guns}.", "Vor ihm bedient: {guns}."],
  ["{limits} leaves {kw} for it.", "{limits}: davon bleiben ihm {kw}."],
  ["{limits} leaves {kw1} for it, less than is of use, {kw2}.", "{limits}: davon bleiben ihm {kw1}, weniger als nützt, {kw2}."],
  ["Of {limits} {kw} is left for it.", "{limits}: davon bleiben ihm {kw}."],
  ["{kw1} is more than all {count} that it can use give, {kw2}.", "{kw1} ist mehr, als alle Module geben, die er nutzen kann: {kw2}."],
  ["It needs {count} of {kw1} for {kw2}.", "Er braucht {count} zu {kw1} für {kw2}."],
  ["It needs {count} for {kw}, lowest number first: {pm}.", "Er braucht {count} für {kw}, kleinste Nummer zuerst: {pm}."],
  ["{pm} has failed.", "{pm} ist ausgefallen."], ["{pm} have failed.", "{pm} sind ausgefallen."],
  ["{pm} is out of service.", "{pm} ist außer Betrieb."], ["{pm} are out of service.", "{pm} sind außer Betrieb."],
  ["Its contactor to {pm} has failed open.", "Sein Schütz zu {pm} schließt nicht."],
  ["{pm} is welded to it and serves no other gun.", "{pm} ist an ihm verschweißt und bedient keinen anderen."],
  ["{pm} is welded to {guns} and serves nobody.", "{pm} ist an {guns} verschweißt und bedient niemanden."],
  ["{pm} is welded to {guns} and serves only that gun.", "{pm} ist an {guns} verschweißt und bedient nur diesen."],
  ["It has no contactor to {pm}.", "Zu {pm} hat er kein Schütz."],
  ["No module is left that it can use.", "Kein Modul ist übrig, das er nutzen kann."],
  ["It finds all modules that it can use free: {pm}.", "Alle Module, die er nutzen kann, sind frei: {pm}."],
  ["Of the {count} that it can use none is left.", "{count} kann er nutzen; davon ist keines übrig."],
  ["Of the {count} that it can use {pm} is left.", "{count} kann er nutzen; übrig ist {pm}."],
  ["Of the {count} that it can use {pm} are left.", "{count} kann er nutzen; übrig sind {pm}."],
  ["It takes {pm} and gets {kw}, all it can have.", "Er nimmt {pm} und bekommt {kw}, alles, was er haben kann."],
  ["It takes {pm} and gets {kw1}, short by {kw2}.", "Er nimmt {pm} und bekommt {kw1}; es fehlen {kw2}."],
  ["It could do without {pm} and keeps it for a while, unless somebody needs it after the dwell.",
    "{pm} braucht er nicht und behält es eine Weile, falls es nach der Ruhezeit niemand braucht."],
  ["It could do without {pm} and keeps them for a while, unless somebody needs them after the dwell.",
    "{pm} braucht er nicht und behält sie eine Weile, falls sie nach der Ruhezeit niemand braucht."],
  ...[["More for it", "Mehr für ihn"], ["The {count} that it is to have at least", "Die mindestens vorgesehenen {count} für ihn"]].flatMap(([wish, wunsch]) => [
    [`${wish} cannot be had of {limits}.`, `${wunsch}: nicht möglich ({limits}).`],
    [`${wish} cannot be had of {pm}, all that it can use.`, `${wunsch}: nicht möglich; nutzen kann er {pm}.`],
    ...[["has", "hat"], ["have", "haben"]].flatMap(([has, hat]) => [
      [`${wish} cannot be had together with what {guns} ${has}: {pm} are all that they can use.`,
        `${wunsch}: nicht möglich zusammen mit dem, was {guns} ${hat}; {pm} sind alle, die sie nutzen können.`],
      [`${wish} cannot be had together with what {guns} ${has}: {pm} are all that they can use, within {limits}.`,
        `${wunsch}: nicht möglich zusammen mit dem, was {guns} ${hat}; {pm} sind alle, die sie nutzen können ({limits}).`],
    ]),
  ]),
  ...[["", ""], ["Guaranteed modules come before all, one for everybody first; ", "Zugesicherte Module gehen vor, zuerst eines für jeden; "]].flatMap(
    ([first, zuerst]) => [
      ["by priority the higher demand comes first.", "nach priority kommt der höhere Bedarf zuerst."],
      ["by max-power the total comes first, then the higher demand.", "nach max-power kommt die Summe zuerst, dann der höhere Bedarf."],
      ["by fair the smallest powers come first, then the total, then the higher demand.",
        "nach fair kommen die kleinsten Leistungen zuerst, dann die Summe, dann der höhere Bedarf."],
    ].map((rule) => [first, zuerst].map((start, which) => start ? start + rule[which] : rule[which][0].toUpperCase() + rule[which].slice(1)))),
  ["{kw} of {limits} is given.", "{kw} sind abgegeben ({limits})."],
  ["A solver is at work; until it answers no module comes to a gun.", "Ein Löser rechnet; bis er antwortet, kommt kein Modul zu einem Stecker."],
  ...["", ", or nobody can use what their limit leaves"].flatMap((limit) => [["idles", "ist"], ["idle", "sind"]].map(([idle, ist]) => [
    `{pm} ${idle}: every gun that could use them has all it may have${limit}.`,
    `{pm} ${ist} unbenutzt: jeder Stecker, der sie nutzen könnte, hat alles, was er haben darf${limit && ", oder niemand kann nutzen, was ihre Grenze übrig lässt"}.`])),
  ["{pm} can serve no gun.", "Für keinen Stecker zu nutzen: {pm}."],
  ["The policy {id1} had no answer ({x}); this is {id2}.", "Die Regel {id1} hatte keine Antwort ({x}); dies ist {id2}."],
];
const EVENTS = [
  ["gun {n} asks for {kw}", "Stecker {n} will {kw}"],
  ["gun {n} asks for {kw}, for it has not told its demand in time", "Stecker {n} will {kw}, denn er hat seinen Bedarf nicht erneuert"],
  ["gun {n} asks for more than its own limit of {kw}", "Stecker {n} will mehr als seine eigene Grenze von {kw}"],
  ["{pm} is out", "{pm} fällt aus"], ["gun {n} is out", "Stecker {n} ist außer Betrieb"], ["gun {n} is locked", "Stecker {n} ist gesperrt"],
  ["no longer: {rest}", "nicht mehr: {rest}"], ["latched before the start: {rest}", "schon vor dem Start: {rest}"],
  ["no site limit", "keine Anschlussgrenze"], ["site limit {kw}", "Anschlussgrenze {kw}"],
  ["{pm} may move again", "{pm} darf wieder wechseln"], ["{pm} has come to gun {n}", "{pm} ist zu Stecker {n} gekommen"],
  ["the solver has answered", "der Löser hat geantwortet"],
  ["gun {n} could do without {pm} and keeps them for {s} s, unless somebody needs them",
    "{pm}: Stecker {n} braucht sie nicht und behält sie {s} s, falls sie niemand braucht"],
  ["{pm} reports on at start although its enable is low", "{pm} meldet beim Start „ein“ ohne Freigabe"],
  ["expanders {x1} and {x2} are out of order; configured anew once their modules are off",
    "Expander {x1} und {x2} sind gestört; neu eingestellt, sobald ihre Module aus sind"],
  ["all expanders are out of order; configured anew once their modules are off",
    "alle Expander sind gestört; neu eingestellt, sobald ihre Module aus sind"],
  ["expanders {x1} and {x2} are configured anew", "Expander {x1} und {x2} sind neu eingestellt"],
  ["expanders {x1} and {x2} are configured anew, {n1} of {n2} times an hour", "Expander {x1} und {x2} sind neu eingestellt, {n1} von {n2} Mal je Stunde"],
  ["nobody knows which contactors of expanders {x1} and {x2} are closed; guns {numbers} are locked until they are read, configured anew or cleared",
    "niemand weiß, welche Schütze der Expander {x1} und {x2} geschlossen sind; Stecker {numbers} sind gesperrt, bis sie gelesen, neu eingestellt oder gelöscht sind"],
  ["contactor {pair} is opened although {pm} is on: the stop has waited as long as it may; inspect the contactor",
    "Schütz {pair} öffnet, obwohl {pm} an ist: der Halt hat gewartet, so lange er darf; das Schütz ansehen"],
  ["the I2C bus is disturbed: {n1} transfers tried again within {n2} s, {n3} of them with expander {x}",
    "der I2C-Bus ist gestört: {n1} Übertragungen wiederholt in {n2} s, {n3} davon mit Expander {x}"],
  ["policy {id1} had no answer ({x}): {id2} instead", "Regel {id1} hatte keine Antwort ({x}): stattdessen {id2}"],
];
const ORDERS = [
  ["gun {n} obeys {kw}", "Stecker {n} folgt {kw}"],
  ["gun {n} keeps its modules for {s} s", "Stecker {n} behält seine Module {s} s"], ["gun {n} let go", "Stecker {n} gibt frei"],
  ["site limit: {kw} now", "Anschlussgrenze: jetzt {kw}"], ["site limit: none now", "Anschlussgrenze: jetzt keine"],
  ["limit of gun {n}: {kw} now", "Grenze von Stecker {n}: jetzt {kw}"], ["limit of gun {n}: none now", "Grenze von Stecker {n}: jetzt keine"],
  ["no limit but the station's own", "keine Grenze außer der eigenen der Station"], ["{n} left", "{n} bleiben"],
  ["limits taken back: {rest}", "Grenzen aufgehoben: {rest}"],
  ["policy: {id}", "Regel: {id}"], ["{id} is cleared", "{id} ist gelöscht"],
  ["{id} is acknowledged; it still stands", "{id} ist als gesehen vermerkt; es besteht weiter"],
  ["stopped", "angehalten"], ["stopped: offers fall, modules go off, contactors open", "angehalten: Angebote fallen, Module gehen aus, Schütze öffnen"],
  ["injected: {rest}", "ausgelöst: {rest}"],
  ["gun {n} has no modules to hold; allowed once it has", "Stecker {n} hat keine Module zu halten; erlaubt, sobald er welche hat"],
  ["contactor {pair}: command and auxiliary contact are not seen to agree; allowed once they are",
    "Schütz {pair}: Befehl und Hilfskontakt stimmen nicht überein; erlaubt, sobald sie es tun"],
  ["{pm}: its enable line is still high although told low", "{pm}: seine Freigabeleitung ist noch High, obwohl sie Low sein soll"],
  ["{pm}: it still reports on although its enable is low", "{pm}: es meldet noch „ein“ ohne Freigabe"],
  ["expander {x}: {pm} on it is not off; allowed once it is", "Expander {x}: {pm} daran ist nicht aus; erlaubt, sobald es aus ist"],
  ["expander {x}: cannot be configured; allowed once it answers", "Expander {x}: lässt sich nicht einstellen; erlaubt, sobald er antwortet"],
  ["emergency stop: the button is pressed; allowed once it is released", "Not-Halt: der Taster ist gedrückt; erlaubt, sobald er entriegelt ist"],
  ["fault {x}: allowed is the id of a latched fault", "Störung {x}: erlaubt ist die Kennung einer bestehenden"],
  ["the station is ending; allowed is nothing any more", "die Station wird beendet; erlaubt ist nichts mehr"],
  ["{x}: allowed is a token with the role {id}", "{x}: erlaubt ist ein Token mit der Rolle {id}"],
  ["policy.minimum_modules = {n} with policy documented: allowed is 0", "policy.minimum_modules = {n} mit der Regel documented: erlaubt ist 0"],
  ["the scan has too many orders already; try again", "der Zyklus hat schon zu viele Aufträge; noch einmal versuchen"],
  ["the scan does not answer; it may still do it", "der Zyklus antwortet nicht; er kann es noch tun"],
  ["the scan is silent: what the station does is not known", "der Zyklus schweigt: was die Station tut, ist unbekannt"],
  ["no journal is kept; run --journal FILE keeps one", "es wird kein Journal geführt; run --journal DATEI führt eines"],
];

const PLACE = /\{(([a-z]+)\d*)\}/g;
const TABLE = [...AFTER, ...TO_DO, ...FAULTS, ...WHY, ...EVENTS, ...ORDERS,
  ...[...FAULTS, ...ORDERS].map(([english, german]) => [`${english}, as told`, `${german}, wie verlangt`])].map(([english, german]) => [
  new RegExp(`${english.replace(/[().?]/g, "\\$&").replace(PLACE, (_, name, kind) => `(?<${name}>${KINDS[kind]})`)}(?=$|; | )`, "y"), german]);

const WORDS = [[/\bgun\b/g, "Stecker"], [/\band\b/g, "und"], [/\bnone\b/g, "keines"], [/\b1 module\b/g, "1 Modul"], [/\bmodules\b/g, "Module"],
  [/(\d)\.(\d)/g, "$1,$2"]];
const LIMITS = [[/the site limit of/gi, "Anschlussgrenze von"], [/, ([\d.]+ kW) of DC,?/g, " ($1 Gleichstrom)"],
  [/the limit of ([\d.]+ kW) that (PM[\d, PM-]*\d) share/gi, "Grenze von $1 für $2 zusammen"]];

function value_of(kind, text) {
  if (kind === "rest") return in_german(text) ?? text;
  if (kind === "x" || kind === "id") return text;
  return [...(kind === "limits" ? LIMITS : []), ...WORDS].reduce((said, [english, german]) => said.replace(english, german), text);
}

const known = new Map();
const MOST_KNOWN = 2000;

/** The same in German, sentence by sentence; null where one of them has no words. */
export function in_german(text) {
  if (!known.has(text)) {
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(text, translated(text));
  }
  return known.get(text);
}

function translated(text) {
  let [said, at] = ["", 0];
  while (at < text.length) {
    let best = null;
    for (const [pattern, german] of TABLE) {
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (found && found[0].length > (best?.found[0].length ?? 0)) best = { found, german };
    }
    if (best === null) return null;
    said += best.german.replace(PLACE, (_, name, kind) => value_of(kind, best.found.groups[name]));
    at += best.found[0].length;
    const [between] = /^(?:; | |)/.exec(text.slice(at));
    said += between;
    at += between.length;
  }
  return said;
}
