"""A station's panel in a real browser, looked at and touched as a person does."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

SCREENS = {"desk": (1280, 800), "panel": (800, 480), "phone": (390, 844)}
TABS = ("guns", "matrix", "faults", "history", "events", "service")
PICTURES = Path(__file__).parents[2] / ".screenshots"
WAIT_S = 60
AXE = (Path(__file__).parent / "axe.min.js").read_text(encoding="utf-8")
"""axe-core 4.14.1 (MPL 2.0), as it is published."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FINGER_PX = 44
TOO_SMALL = """
const small = ({ width, height }) => Math.min(width, height) < arguments[0] - 0.5;
return [...document.querySelectorAll('a, button, select, input, summary, label:has([type=radio])')]
  .filter((one) => one.offsetParent && one.type !== 'radio' && !one.classList.contains('skip'))
  .filter((one) => small(one.getBoundingClientRect())).map((one) => one.outerHTML)"""

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")


class Browser:
    """One page of one station."""

    def __init__(self, driver: webdriver.Chrome, station: subprocess.Popen[str], page: str) -> None:
        self.driver, self.station, self.page = driver, station, page
        self.touches = 0

    def open(
        self, screen: str, theme: str = "dark", tab: str = "guns", language: str = "en"
    ) -> None:
        self.screen(screen)
        self.driver.get(self.page)
        for key, value in {"theme": theme, "language": language}.items():
            self.run("localStorage.setItem(...arguments)", key, value)
        self.driver.get(f"{self.page}#{tab}")
        self.driver.refresh()
        self.wait(lambda: not self.is_stale())
        self.touches = 0

    def screen(self, screen: str) -> None:
        width, height = SCREENS[screen]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def tab(self, name: str) -> None:
        self.run("location.hash = arguments[0]", name)
        self.wait(lambda: self.run("return document.body.dataset.tab") == name)

    def is_stale(self) -> bool:
        return "stale" in (self.find("body").get_attribute("class") or "").split()

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def touch(self, selector: str) -> None:
        self.touches += 1
        self.find(selector).click()

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, holds: Callable[[], object]) -> None:
        WebDriverWait(self.driver, WAIT_S).until(lambda _: holds())

    def picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        assert self.driver.save_screenshot(str(PICTURES / f"{name}.png"))

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def barriers(self) -> list[str]:
        """What keeps somebody from using what is shown, by axe-core and by the size of fingers."""
        self.run(AXE)
        look = (
            "const [rules, done] = arguments; axe.run(document, { runOnly: rules }).then((found) =>"
            " done(found.violations.map((one) => `${one.id}: ${one.nodes[0].html}`)))"
        )
        found: list[str] = self.driver.execute_async_script(look, RULES)
        return found + [f"too small: {one}" for one in self.run(TOO_SMALL, FINGER_PX)]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """By HTTP, as others do."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(f"{self.page}api/v1{path}", data, headers, method=method)
        with urllib.request.urlopen(asked) as answer:
            return json.load(answer)

    def state(self) -> Any:
        return self.ask("GET", "/state")

    def inject(self, fault: str) -> None:
        self.ask("POST", "/simulation/faults", {"fault": fault})

    def inject_by_hand(self, kind: str, place: str) -> None:
        Select(self.find("#fault-kind")).select_by_value(kind)
        Select(self.find("#fault-place")).select_by_visible_text(place)
        self.find("#inject button").click()
        self.wait(lambda: self.text("#said") == f"injected: {kind} {place}")


@contextmanager
def panel_of_a_station(*options: str) -> Iterator[Browser]:
    """Of a simulated station that lives its day."""
    chrome = webdriver.ChromeOptions()
    chrome.binary_location = CHROMIUM or ""
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        chrome.add_argument(f"--{argument}")
    chrome.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    run = [sys.executable, "-m", "verified_alloc", "run", "--http", "127.0.0.1:0", *options]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as station:
        try:
            assert station.stdout is not None
            page = next(
                found[0] for line in station.stdout if (found := re.search(r"http://\S+/", line))
            )
            service = webdriver.ChromeService(CHROMEDRIVER)
            with webdriver.Chrome(options=chrome, service=service) as driver:
                yield Browser(driver, station, page)
        finally:
            os.kill(station.pid, signal.SIGCONT)
            station.kill()
