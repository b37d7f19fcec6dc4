"""The panel in a real browser, on a real station with a simulated cabinet."""

import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys
from service.browser import CHROMEDRIVER, CHROMIUM, SCREENS, TABS, Browser, panel_of_a_station
from service.sentences import of_faults, of_reasons

DASHBOARD = Path(__file__).parents[2] / "verified_alloc/service/dashboard"

pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="apt install chromium-driver"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    journal = tmp_path_factory.mktemp("panel") / "journal.db"
    with panel_of_a_station("--journal", str(journal)) as browser:
        browser.ask("POST", "/emergency-stop")
        browser.wait(lambda: browser.state()["stopped"])
        browser.ask("DELETE", "/faults/emergency-stop")
        yield browser


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_tab_fits_the_screen_and_keeps_nobody_out(
    browser: Browser, screen: str, theme: str
) -> None:
    browser.open(screen, theme)
    browser.wait(lambda: "kW" in browser.text("#gun-6 .power"))
    about = browser.state()["station"]
    for tab in TABS:
        browser.tab(tab)
        assert browser.run("return document.documentElement.scrollWidth") <= SCREENS[screen][0]
        browser.picture(f"{screen}-{theme}-{tab}")
        assert browser.barriers() == [], tab
        assert browser.find("#stop").is_displayed()
    assert browser.text("#about") == f"verified-alloc {about['version']}: {about['proof']}"
    assert not browser.errors()


def lowest(browser: Browser) -> float:
    """How far down the last gun's card reaches."""
    browser.wait(lambda: browser.find("#gun-6").is_displayed())
    bottom = "return document.querySelector('#gun-6').getBoundingClientRect().bottom"
    return float(browser.run(bottom))


@pytest.mark.parametrize("screen", ["panel", "desk"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_six_guns_are_shown_without_scrolling(browser: Browser, screen: str, language: str) -> None:
    browser.open(screen, language=language)
    assert lowest(browser) <= SCREENS[screen][1]
    long = "Keeps PM4, 5, 6 until 12:34:56 unless somebody needs it after its dwell."
    note = (
        "for (const one of document.querySelectorAll('.gun .note')) one.textContent = arguments[0];"
        " return document.querySelector('#gun-6').getBoundingClientRect().bottom"
    )
    assert browser.run(note, long) <= SCREENS[screen][1]


def test_the_matrix_is_turned_on_a_phone_and_changed_in_place(browser: Browser) -> None:
    browser.open("desk")
    size = "const at = document.querySelector('#matrix svg').getBoundingClientRect();"
    browser.wait(lambda: browser.run(f"{size} return at.width > at.height"))
    browser.run("window.kept = document.querySelectorAll('#matrix g')[53]")
    scans = browser.state()["scan"]["count"]
    browser.wait(lambda: browser.state()["scan"]["count"] > scans + 50)
    assert browser.run("return window.kept.isConnected")
    browser.open("phone", tab="matrix")
    browser.wait(lambda: browser.run(f"{size} return at.height > at.width"))


def test_the_safety_chain_is_a_table(browser: Browser) -> None:
    browser.open("phone", tab="faults")
    lines = browser.text("#chain").splitlines()
    assert lines[0] == "test result last next due"
    tests = ("relay watchdog", "RESET", "emergency stop", "enable lines")
    assert lines[1:] == [f"{test} not tested never by commission" for test in tests]


def test_a_fault_says_what_it_costs_is_acknowledged_and_cleared(browser: Browser) -> None:
    browser.open("desk", tab="service")
    browser.inject_by_hand("module-dead", "3")
    browser.tab("guns")
    for gun in (1, 2):  # together they need every module
        browser.find(f"#gun-{gun} input").send_keys(Keys.END)
    browser.wait(lambda: "1 fault: PM3 does not report on" in browser.text("#status"))
    assert "bad" in browser.find("p.status").get_attribute("class").split()
    browser.touch("#status")
    card = browser.find("[data-id='module-3']")
    assert "minor" in card.text
    assert "Costs the station 40 kW." in card.text
    assert "Check the supply, the enable line and the status line of PM3" in card.text
    assert re.search(r"since .+:\d\d:\d\d", card.text)
    browser.touch("[data-id='module-3'] .acknowledge")
    browser.wait(lambda: ", seen " in card.text)
    browser.touch("[data-id='module-3'] .clear")
    browser.wait(lambda: browser.find("#no-faults").is_displayed())
    assert browser.touches == 3
    browser.tab("events")
    browser.wait(lambda: "module-3 is cleared" in browser.text("#happened"))
    browser.tab("service")
    browser.find("#let-go").click()


def test_on_a_low_screen_the_reason_lies_over_the_page_until_it_is_touched(
    browser: Browser,
) -> None:
    browser.open("panel")
    browser.touch("#gun-5 summary")
    reason = browser.find("#gun-5 details p")
    browser.wait(lambda: "Gun 5 asks for" in reason.text)
    at = reason.rect
    assert min(at["x"], at["y"]) >= 0
    assert at["x"] + at["width"] <= 800
    assert at["y"] + at["height"] <= 480
    browser.picture("why")
    reason.click()
    browser.wait(lambda: not reason.is_displayed())


def test_modules_that_are_kept_are_said_with_their_time(browser: Browser) -> None:
    browser.open("panel")
    for gun in (1, 2, 3, 4, 6):  # nobody else asks for anything
        browser.find(f"#gun-{gun} input").send_keys(Keys.END, Keys.HOME)
    browser.find("#gun-5 input").send_keys(Keys.END)
    browser.wait(lambda: browser.text("#gun-5 .power") == "240 kW")
    browser.find("#gun-5 input").send_keys(*[Keys.PAGE_DOWN] * 5)
    browser.wait(lambda: browser.text("#gun-5 .note").startswith("Keeps PM"))
    gun = browser.state()["guns"][4]
    assert gun["demand_kw"] < 240
    browser.picture("kept")
    until = time.strftime("%M:%S", time.localtime(gun["kept_until_at"]))
    modules = ", ".join(map(str, gun["kept"]))
    assert re.fullmatch(
        rf"Keeps PM{modules} until .+:{until} unless somebody needs it after its dwell\.",
        browser.text("#gun-5 .note"),
    )
    browser.touch("#gun-5 summary")
    browser.wait(lambda: "could do without" in browser.text("#gun-5 details p"))
    browser.tab("service")
    browser.find("#let-go").click()


def test_the_site_limit_is_set_removed_and_named_where_it_is_why(browser: Browser) -> None:
    browser.open("desk", tab="service")
    browser.find("#limit-kw").send_keys("50")
    browser.touch("#limit-form button")
    browser.wait(lambda: browser.text("#limit-said") == "site limit: 50 kW now")
    browser.wait(lambda: browser.text("#limit-now").startswith("In force: 50 kW."))
    browser.tab("guns")
    browser.find("#gun-2 input").send_keys(Keys.END)
    browser.wait(lambda: "could get 50 kW alone (site limit)" in browser.text("#gun-2 .figures"))
    browser.wait(
        lambda: (
            "site limit 50 kW" in browser.run("return document.body.innerText")
            and any(gun["unmet_kw"] for gun in browser.state()["guns"])
        )
    )
    browser.picture("site-limit")
    browser.tab("service")
    browser.touch("#limit-remove")
    browser.wait(
        lambda: re.search(r"A higher one counts from .+:\d\d\.", browser.text("#limit-next"))
    )
    browser.wait(lambda: browser.text("#limit-now").startswith("In force: none."))
    browser.find("#let-go").click()


def test_the_limits_that_stand_and_their_next_change_are_a_table(browser: Browser) -> None:
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    profile = {
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "stackLevel": 3,
        "chargingSchedule": {
            "chargingRateUnit": "W",
            "startSchedule": start,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 60_000}],
        },
    }
    browser.ask("PUT", "/limits", {"limit_kw": 30, "gun": 2})
    browser.ask("PUT", "/limits", {"profile": profile})
    browser.open("desk", tab="service")
    browser.wait(lambda: len(browser.text("#limits").splitlines()) == 3)
    heads, of_gun, to_come = browser.text("#limits").splitlines()
    assert heads == "of purpose level now until"
    assert of_gun == "Gun 2 grid 0 30 kW"
    assert to_come.startswith("all together station 3 none ")
    assert browser.text("#limit-next").startswith("Next change: ")
    browser.tab("guns")
    browser.find("#gun-2 input").send_keys(Keys.END)
    browser.wait(lambda: "could get 30 kW alone (its own limit)" in browser.text("#gun-2 .figures"))
    browser.tab("service")
    browser.touch("#limit-remove")
    browser.wait(lambda: browser.text("#limits") == "")
    browser.find("#let-go").click()


def test_modules_and_guns_go_out_of_service_and_are_held(browser: Browser) -> None:
    browser.open("phone", tab="service")
    browser.touch("#module-controls [data-id='4'] .switch")
    browser.wait(lambda: "Out of service: PM4" in browser.text("#status"))
    browser.touch("#module-controls [data-id='4'] .switch")
    browser.wait(lambda: browser.text("#module-controls [data-id='4'] .how") == "in service")
    browser.ask("PUT", "/guns/3/demand", {"demand_kw": 0})
    browser.wait(lambda: not browser.state()["guns"][2]["modules"])
    browser.touch("#gun-controls [data-id='3'] .hold")
    refused = "Refused: gun 3 has no modules to hold; allowed once it has"
    browser.wait(lambda: browser.text("#gun-controls [data-id='3'] .answer") == refused)
    browser.ask("PUT", "/guns/3/demand", {"demand_kw": 240})
    browser.wait(lambda: browser.state()["guns"][2]["modules"])
    browser.touch("#gun-controls [data-id='3'] .hold")
    browser.wait(lambda: browser.state()["guns"][2]["held_s"] > 0)
    browser.wait(lambda: browser.text("#gun-controls [data-id='3'] .hold") == "Let go")
    browser.touch("#gun-controls [data-id='3'] .hold")
    browser.wait(lambda: browser.state()["guns"][2]["held_s"] == 0)


def test_one_press_stops_everything(browser: Browser) -> None:
    browser.open("panel")
    browser.find("#gun-2 input").send_keys(Keys.END)
    browser.wait(lambda: browser.state()["guns"][1]["demand_kw"] == 240)
    browser.touch("#stop")
    browser.wait(lambda: browser.find("#stopped").is_displayed())
    assert browser.text("#stop") == "Stopped"
    browser.wait(lambda: not any(gun["live"] for gun in browser.state()["guns"]))
    browser.picture("stopped")
    assert browser.barriers() == []
    assert lowest(browser) <= SCREENS["panel"][1]
    assert browser.text("#gun-2 .note") == "Stopped"
    assert browser.text("#gun-2 .asks b") == "240 kW"
    browser.touch("#gun-2 summary")
    browser.wait(lambda: "is stopped: no demand counts" in browser.text("#gun-2 details p"))
    browser.touch("#gun-2 details p")
    browser.screen("desk")
    browser.picture("stopped-desk")
    assert lowest(browser) <= SCREENS["desk"][1]
    browser.screen("panel")
    browser.touch("#clear-stop")
    browser.wait(lambda: not browser.find("#stopped").is_displayed())
    assert browser.text("#stop") == "Stop all"
    browser.tab("service")
    browser.find("#let-go").click()


def test_what_is_not_live_is_not_shown_as_live_and_a_stop_is_sent_until_it_is_confirmed(
    browser: Browser,
) -> None:
    browser.open("desk")
    os.kill(browser.station.pid, signal.SIGSTOP)  # the scan hangs, the service goes on
    try:
        browser.wait(lambda: browser.text("#status").startswith("Not live: nothing heard"))
        browser.wait(browser.is_stale)
        browser.picture("stale")
        assert browser.barriers() == []
        grey = "return getComputedStyle(document.querySelector(arguments[0])).filter"
        assert browser.run(grey, ".matrix") == "grayscale(1)"
        assert {browser.run(grey, one) for one in ("#faults", "#stop", "header")} == {"none"}
        browser.touch("#stop")
        assert browser.text("#stop") in ("Stopping…", "Sent, not confirmed")
        browser.wait(lambda: browser.text("#stop") == "Sent, not confirmed")
        assert "press the button in the cabinet" in browser.text("#stop-said")
        browser.picture("stop-not-confirmed")
    finally:
        os.kill(browser.station.pid, signal.SIGCONT)
    browser.wait(lambda: browser.text("#stop") == "Stopped")
    browser.wait(lambda: not browser.text("#stop-said"))
    browser.touch("#clear-stop")
    browser.wait(lambda: browser.text("#stop") == "Stop all" and not browser.is_stale())


def test_hours_energy_sessions_and_events_come_from_the_journal(browser: Browser) -> None:
    browser.open("panel", tab="history")
    browser.wait(
        lambda: browser.run("return document.querySelectorAll('#curves canvas').length") == 6
    )
    browser.wait(lambda: len(browser.text("#energy").splitlines()) == 2)
    assert (
        browser.text("#energy").splitlines()[0] == "day gun 1 gun 2 gun 3 gun 4 gun 5 gun 6 total"
    )
    assert len(browser.text("#sessions").splitlines()) > 1
    browser.touch("#ranges label")
    browser.wait(
        lambda: browser.run("return document.querySelectorAll('#curves canvas').length") == 6
    )
    browser.picture("history")
    browser.tab("events")
    browser.wait(lambda: browser.text("#found"))
    browser.find("#events-words").send_keys("IS CLEARED")
    browser.touch("#events-form button")
    browser.wait(
        lambda: all("is cleared" in row for row in browser.text("#found").splitlines()[1:])
    )
    with urllib.request.urlopen(f"{browser.page}api/v1/events.csv?words=cleared") as answer:
        table = answer.read().decode().splitlines()
    assert table[0] == "time,zone,severity,kind,text"
    assert all("cleared" in line for line in table[1:])
    assert "no-such-word" not in browser.text("#found")
    browser.find("#events-words").send_keys(" no-such-word")
    browser.touch("#events-form button")
    browser.wait(lambda: browser.text("#events-said") == "Nothing found.")


def test_a_slider_moves_power_by_the_keyboard_and_a_weld_is_refused_beside_its_button(
    browser: Browser,
) -> None:
    browser.open("desk", tab="service")
    for module in range(1, 10):  # whichever of them closes first
        browser.inject_by_hand("weld", f"4:{module}")
    browser.tab("guns")
    browser.find("#gun-4 input").send_keys(Keys.END)
    browser.wait(lambda: browser.text("#gun-4 .power") == "240 kW")
    assert browser.state()["guns"][3]["demand_kw"] == 240
    browser.touch("#gun-4 summary")
    browser.wait(lambda: "Gun 4 asks for 240 kW" in browser.text("#gun-4 details p"))
    browser.find("#gun-4 input").send_keys(Keys.HOME)
    browser.wait(lambda: re.search(r"contactor 4:\d is welded", browser.text("#status")))
    assert "welded" in browser.find("#matrix-table").get_attribute("textContent")
    browser.picture("weld")
    browser.tab("faults")
    assert re.search(r"Keeps PM\d from guns 1, 2, 3, 5, 6\.", browser.text(".fault .costs"))
    browser.touch(".fault .clear")
    browser.wait(lambda: "Refused: contactor 4:" in browser.text(".fault .answer"))
    module = browser.state()["faults"][0]["keeps"][0]["module"]
    browser.tab("service")
    welded = browser.text(f"#module-controls [data-id='{module}'] .how")
    assert welded == "welded to gun 4"
    browser.tab("service")
    browser.find("#let-go").click()


def test_a_hidden_page_gives_its_connection_back_and_is_told_what_it_missed(
    browser: Browser,
) -> None:
    browser.open("desk")
    hide = (
        "Object.defineProperty(document, 'hidden', { configurable: true, value: arguments[0] });"
        " document.dispatchEvent(new Event('visibilitychange'))"
    )
    browser.run(
        "window.asked = []; const go = window.fetch; window.fetch = (path, how) => {"
        " window.asked.push([path, how.headers]); return go(path, how) }"
    )
    browser.run(hide, True)
    browser.wait(browser.is_stale)
    assert browser.run("return window.asked") == []
    browser.run(hide, False)
    browser.wait(lambda: not browser.is_stale())
    ((path, headers),) = browser.run("return window.asked")
    assert path == "api/v1/stream"
    assert re.fullmatch(r"\d+-\d+\.\d{3}", headers["last-event-id"])


TASKS: dict[str, tuple[tuple[str, ...], Callable[[Browser], object]]] = {
    "find why gun 3 gets what it gets": (
        ("#gun-3 summary",),
        lambda browser: "Gun 3 asks for" in browser.text("#gun-3 details p"),
    ),
    "see which module feeds which gun": (
        ("nav [href='#matrix']",),
        lambda browser: browser.find("#matrix svg").is_displayed(),
    ),
    "see what a fault costs": (
        ("#status",),
        lambda browser: browser.run("return document.body.dataset.tab") == "faults",
    ),
    "see when RESET was tested": (
        ("nav [href='#faults']",),
        lambda browser: "RESET not tested" in browser.text("#chain"),
    ),
    "see today's energy of gun 2": (
        ("nav [href='#history']",),
        lambda browser: "gun 2" in browser.text("#energy"),
    ),
    "see the last week of gun 4": (
        ("nav [href='#history']", "#ranges label:last-child"),
        lambda browser: len(browser.driver.find_elements("css selector", "#curves canvas")) == 6,
    ),
    "find what was critical": (
        ("nav [href='#events']", "#events-severity option:last-child", "#events-form button"),
        lambda browser: "stopped, as told" in browser.text("#found"),
    ),
    "take PM4 out": (
        ("nav [href='#service']", "#module-controls [data-id='4'] .switch"),
        lambda browser: not browser.state()["modules"][3]["in_service"],
    ),
    "stop everything and go on": (
        ("#stop", "#clear-stop"),
        lambda browser: browser.text("#stop") == "Stop all" and not browser.state()["stopped"],
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_technicians_task_takes_three_touches_at_most(browser: Browser, task: str) -> None:
    browser.open("panel")
    touches, done = TASKS[task]
    for selector in touches:
        browser.wait(lambda selector=selector: browser.find(selector).is_displayed())
        browser.touch(selector)
    browser.wait(lambda: done(browser))
    assert browser.touches <= 3
    browser.ask("PUT", "/modules/4/service", {"in_service": True})


def test_a_date_that_is_entered_is_the_stations(browser: Browser) -> None:
    browser.open("desk")
    script = (
        "const done = arguments[0]; import('./messages.js').then((m) => {"
        " m.keep_zone('Pacific/Auckland'); done([m.unix_of('2026-11-30T12:00'), m.zone_name(),"
        " m.unix_of('2026-06-30T12:00')]); m.keep_zone('UTC') })"
    )
    summer, zone, winter = browser.driver.execute_async_script(script)
    assert (summer, zone, winter) == (1_795_993_200, "Pacific/Auckland", 1_782_777_600)


def test_what_the_station_says_is_said_in_german_with_all_its_figures(browser: Browser) -> None:
    browser.open("desk", language="de")
    script = (
        "const [all, done] = arguments; import('./german.js').then((m) =>"
        " done(all.map(m.in_german)))"
    )
    english = sorted({*of_faults(), *of_reasons()} - {""})
    german = browser.driver.execute_async_script(script, english)
    figures = re.compile(r"PM\d+|\d[\d.]* kW|\d+:\d+|0x..")
    for sentence, said in zip(english, german, strict=True):
        assert said, sentence
        there = figures.findall(re.sub(r"(\d),(\d)", r"\1.\2", said))
        assert sorted(there) == sorted(figures.findall(sentence)), said


def test_what_happened_is_told_in_german(browser: Browser) -> None:
    browser.open("desk", language="de", tab="events")
    browser.wait(lambda: browser.text("#found"))
    left = browser.run(
        "return [...document.querySelectorAll('#found [lang=en]')].map((one) => one.textContent)"
    )
    assert {sentence.split(":")[0] for sentence in left} <= {"proof"}
    browser.picture("german-events")


def test_the_page_speaks_german_and_has_words_for_everything(browser: Browser) -> None:
    browser.open("phone", language="de")
    assert browser.text("nav").split()[:3] == ["Stecker", "Matrix", "Störungen"]
    assert browser.find("html").get_attribute("lang") == "de"
    browser.picture("german")
    script = (
        "const done = arguments[0]; import('./messages.js').then((m) =>"
        " done(m.LANGUAGES.map((one) => Object.keys(m.words_of(one)))))"
    )
    english, german = map(set, browser.driver.execute_async_script(script))
    assert english == german
    sources = "".join(
        path.read_text(encoding="utf-8")
        for pattern in ("*.js", "*.html")
        for path in DASHBOARD.glob(pattern)
        if "uPlot" not in path.name and path.name != "messages.js"
    )
    used = set(re.findall(r"""\bt\("([\w. -]+)"|data-t(?:-label)?="([\w. -]+)\"""", sources))
    assert {name for pair in used for name in pair if name} <= english
