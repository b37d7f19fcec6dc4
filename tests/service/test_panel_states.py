"""Nine states of a station on three screens, dark and light: pictures of each, barriers in none."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from service.browser import CHROMEDRIVER, CHROMIUM, SCREENS, Browser, panel_of_a_station

pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="apt install chromium-driver"),
    pytest.mark.xdist_group("browser"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    journal = tmp_path_factory.mktemp("states") / "journal.db"
    with panel_of_a_station("--journal", str(journal)) as browser:
        yield browser


def looked_at(browser: Browser, name: str, *tabs: str) -> None:
    for tab in tabs:
        browser.tab(tab)
        for theme in ("dark", "light"):
            browser.run("document.documentElement.dataset.theme = arguments[0]", theme)
            for screen, (width, _) in SCREENS.items():
                browser.screen(screen)
                browser.picture(f"state-{name}-{tab}-{screen}-{theme}")
                assert browser.run("return document.documentElement.scrollWidth") <= width
                assert browser.barriers() == [], (tab, theme, screen)
    browser.screen("desk")


def seen(browser: Browser, holds: Callable[[Any], object]) -> None:
    browser.wait(lambda: holds(browser.state()))


def fault(browser: Browser, name: str) -> None:
    seen(browser, lambda state: name in [one["id"] for one in state["faults"]])
    browser.wait(lambda: browser.text("#fault-count") != "")


def test_nine_states(browser: Browser) -> None:
    browser.open("desk")
    looked_at(browser, "1-normal", "guns", "matrix", "history", "events", "service")

    browser.tab("guns")
    for gun in range(1, 7):
        browser.find(f"#gun-{gun} input").send_keys(Keys.END)
    seen(browser, lambda state: all(module["feeds"] for module in state["modules"]))
    looked_at(browser, "2-shortage", "guns")

    browser.ask("PUT", "/limits", {"limit_kw": 200})
    seen(browser, lambda state: sum(gun["offer_kw"] for gun in state["guns"]) <= 200)
    looked_at(browser, "3-site-limit", "guns", "service")
    browser.ask("DELETE", "/limits")

    browser.ask("PUT", "/modules/9/service", {"in_service": False})
    browser.ask("PUT", "/guns/6/service", {"in_service": False})
    browser.wait(lambda: "Out of service: gun 6, PM9" in browser.text("#status"))
    looked_at(browser, "4-out-of-service", "guns", "service")

    browser.inject("module-dead 2")
    fault(browser, "module-2")
    looked_at(browser, "5-failed-module", "matrix", "faults")

    for module in range(1, 10):  # each as it closes, which shows when it should open
        browser.inject(f"weld 2:{module}")
    browser.ask("PUT", "/guns/1/service", {"in_service": False})
    seen(browser, lambda state: len(state["guns"][1]["live"]) == 6)
    browser.ask("PUT", "/guns/2/service", {"in_service": False})
    browser.wait(lambda: "is welded" in browser.text("#status"))
    looked_at(browser, "6-weld", "guns", "faults")

    browser.inject("nack 0x22")
    fault(browser, "expander-0x22")
    looked_at(browser, "7-lost-expander", "guns", "matrix", "faults")

    browser.touch("#stop")
    seen(browser, lambda state: state["stopped"])
    browser.wait(lambda: browser.find("#stopped").is_displayed())
    looked_at(browser, "8-stopped", "guns", "faults")

    os.kill(browser.station.pid, signal.SIGSTOP)
    browser.wait(browser.is_stale)
    browser.wait(lambda: browser.text("#status").startswith("Not live"))
    looked_at(browser, "9-not-live", "guns", "matrix", "faults")
    assert not [
        error for error in browser.errors() if "favicon" not in error and "503" not in error
    ]
