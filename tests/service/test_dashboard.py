"""The dashboard in a real browser, on a real station with a simulated cabinet."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

SCREENS = {"desk": (1280, 800), "panel": (800, 480), "phone": (390, 844)}
PICTURES = Path(__file__).parents[2] / ".screenshots"
WAIT_S = 60

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="apt install chromium-driver"),
    pytest.mark.xdist_group("browser"),
]


class Browser:
    """One page of one station, looked at and touched as a person does."""

    def __init__(self, driver: webdriver.Chrome, station: subprocess.Popen[str], page: str) -> None:
        self.driver, self.station, self.page = driver, station, page

    def open(self, screen: str, theme: str = "dark") -> None:
        width, height = SCREENS[screen]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get(self.page)
        self.driver.execute_script("localStorage.setItem('theme', arguments[0])", theme)
        self.driver.refresh()
        self.wait(lambda: self.text("#connection") == "Live")

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def wait(self, holds: Callable[[], bool]) -> None:
        WebDriverWait(self.driver, WAIT_S).until(lambda _: holds())

    def picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        assert self.driver.save_screenshot(str(PICTURES / f"{name}.png"))

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def state(self) -> Any:
        with urllib.request.urlopen(f"{self.page}api/state") as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    run = [sys.executable, "-m", "verified_alloc", "run", "--http", "127.0.0.1:0"]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as station:
        try:
            assert station.stdout is not None
            page = next(
                found[0] for line in station.stdout if (found := re.search(r"http://\S+/", line))
            )
            service = webdriver.ChromeService(CHROMEDRIVER)
            with webdriver.Chrome(options=options, service=service) as driver:
                yield Browser(driver, station, page)
        finally:
            os.kill(station.pid, signal.SIGCONT)
            station.kill()


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_loads_without_an_error_and_fits_the_screen(
    browser: Browser, screen: str, theme: str
) -> None:
    browser.open(screen, theme)
    browser.wait(lambda: "kW" in browser.text("#gun-6 .power"))
    width = browser.driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= SCREENS[screen][0]
    about = browser.state()["station"]
    assert browser.text("#about") == f"verified-alloc {about['version']}: {about['proof']}"
    browser.picture(f"{screen}-{theme}")
    browser.driver.execute_script("arguments[0].scrollIntoView()", browser.find("#about"))
    browser.picture(f"{screen}-{theme}-about")
    assert not browser.errors()


def test_the_safety_chain_is_a_table(browser: Browser) -> None:
    browser.open("phone")
    lines = browser.text("#chain").splitlines()
    assert lines[0] == "test result last next due"
    tests = ("relay watchdog", "RESET", "emergency stop", "enable lines")
    assert lines[1:] == [f"{test} not tested never by commission" for test in tests]


def test_a_fault_is_cleared_or_the_refusal_shown(browser: Browser) -> None:
    browser.open("desk")
    Select(browser.find("#fault-kind")).select_by_value("module-dead")
    Select(browser.find("#fault-place")).select_by_visible_text("3")
    browser.find("#inject button").click()
    browser.find("#gun-1 input").send_keys(Keys.END)
    browser.wait(lambda: "module 3 does not report on" in browser.text("#faults"))
    browser.find("[aria-label='Clear: module 3 does not report on']").click()
    browser.wait(lambda: "module-3 is cleared" in browser.text("#happened"))
    browser.find("#let-go").click()


def test_a_slider_moves_power_by_the_keyboard_and_a_weld_shows_in_words(browser: Browser) -> None:
    browser.open("desk")
    Select(browser.find("#fault-kind")).select_by_value("weld")
    welds = ["4:1", "4:2", "4:3", "4:4", "4:5", "4:6", "4:7", "4:8", "4:9"]
    for place in welds:  # whichever of them closes first
        Select(browser.find("#fault-place")).select_by_visible_text(place)
        browser.find("#inject button").click()
        browser.wait(lambda place=place: browser.text("#said") == f"injected: weld {place}")
    browser.find("#gun-4 input").send_keys(Keys.END)
    browser.wait(lambda: browser.text("#gun-4 .power") == "240 kW")
    assert browser.state()["guns"][3]["demand_kw"] == 240
    assert "Gun 4 asks for 240 kW" in _why(browser, 4)
    browser.find("#gun-4 input").send_keys(Keys.HOME)
    browser.wait(lambda: "is welded" in browser.text("#faults"))
    assert re.search(r"contactor 4:\d is welded", browser.text("#faults"))
    assert "welded" in browser.find("#matrix-table").get_attribute("textContent")
    browser.picture("weld")
    browser.find("#let-go").click()


def test_modules_that_are_kept_are_said_with_their_time(browser: Browser) -> None:
    browser.open("panel")
    browser.find("#gun-5 input").send_keys(Keys.END)
    browser.wait(lambda: browser.text("#gun-5 .power") == "240 kW")
    browser.find("#gun-5 input").send_keys(*[Keys.PAGE_DOWN] * 5)
    browser.wait(lambda: browser.text("#gun-5 .note").startswith("Keeps PM"))
    gun = browser.state()["guns"][4]
    assert gun["demand_kw"] < 240
    browser.picture("kept")
    until = time.strftime("%M:%S", time.localtime(gun["kept_until_s"]))
    modules = ", ".join(map(str, gun["kept"]))
    assert re.fullmatch(
        rf"Keeps PM{modules} until .+:{until}\D.* unless somebody needs it after its dwell\.",
        browser.text("#gun-5 .note"),
    )
    assert "could do without" in _why(browser, 5)
    browser.find("#let-go").click()


def test_an_emergency_stop_takes_two_presses_and_is_cleared(browser: Browser) -> None:
    browser.open("desk")
    browser.find("#stop").click()
    assert not browser.find("#stopped").is_displayed()
    browser.find("#stop").click()
    browser.wait(lambda: browser.find("#stopped").is_displayed())
    browser.wait(lambda: not any(gun["live"] for gun in browser.state()["guns"]))
    browser.picture("stopped")
    browser.find("#clear-stop").click()
    browser.wait(lambda: not browser.find("#stopped").is_displayed())


def test_what_is_not_live_is_not_shown_as_live(browser: Browser) -> None:
    browser.open("desk")
    os.kill(browser.station.pid, signal.SIGSTOP)  # the scan hangs, the service goes on
    browser.wait(lambda: browser.text("#connection").startswith("Not live: nothing heard for"))
    assert "stale" in browser.find("body").get_attribute("class").split()
    browser.picture("stale")
    os.kill(browser.station.pid, signal.SIGCONT)
    browser.wait(lambda: browser.text("#connection") == "Live")


def _why(browser: Browser, gun: int) -> str:
    if not browser.find(f"#gun-{gun} details p").is_displayed():
        browser.find(f"#gun-{gun} summary").click()
    time.sleep(0.3)
    return browser.text(f"#gun-{gun} details p")
