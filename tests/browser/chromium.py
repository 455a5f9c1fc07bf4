"""A headless Chromium without a network, driven by Selenium: what a reader's browser shows and does."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.chrome.service import Service

AXE = (Path(__file__).parent / "axe.min.js").read_text(encoding="utf-8")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")

ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

# Everything that a page still does after its load event: formulas, fonts, pictures, one frame drawn.
SETTLED = """
const done = arguments[0];
(async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => image.decode().catch(() => {})));
  requestAnimationFrame(() => setTimeout(done));
})();
"""


def missing():
    """Why no browser can be started, or None."""
    absent = [name for name, path in (("Chromium", CHROMIUM), ("chromedriver", DRIVER)) if path is None]
    return f"{' and '.join(absent)} not installed, so no page can be opened in a browser" if absent else None


@dataclass(frozen=True)
class Screen:
    width: int
    height: int
    scheme: str  # what the reader's system prefers: light or dark

    def __str__(self):
        return f"{self.scheme}, {self.width} px"


DESK, PHONE = Screen(1280, 900, "light"), Screen(390, 844, "light")
DESK_AT_NIGHT, PHONE_AT_NIGHT = Screen(1280, 900, "dark"), Screen(390, 844, "dark")


class Browser:
    """One Chromium; each `open` begins with an empty console and an empty list of requests."""

    def __init__(self, profile):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in [*ARGUMENTS, f"--user-data-dir={profile}"]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # with the path of the driver given, Selenium does not look for one on the network
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.set_script_timeout(60)
        self.run, self.run_async = self.driver.execute_script, self.driver.execute_async_script

    def quit(self):
        self.driver.quit()

    def open(self, url, screen=DESK, **media):
        """Show a page on a screen; ``media`` are preferences such as ``prefers_reduced_motion="reduce"``."""
        self.show_on(screen, **media)
        self.driver.get("about:blank")
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(url)
        self.settle()

    def show_on(self, screen, **media):
        media = {"prefers_color_scheme": screen.scheme, **media}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": False})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]})

    def settle(self):
        self.run_async(SETTLED)

    def console(self):
        """Warnings and errors that the page has written since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("WARNING", "SEVERE")]

    def traffic(self):
        """Addresses asked for since the last call, and those of them that were answered by an error."""
        asked, failed = {}, []
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            what = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                asked[what["requestId"]] = what["request"]["url"]
            elif event["method"] == "Network.responseReceived" and what["response"]["status"] >= 400:
                failed.append(what["response"]["url"])
            elif event["method"] == "Network.loadingFailed" and not what.get("canceled"):
                failed.append(asked.get(what["requestId"], what["requestId"]))
        own = ("data", "blob", "about")  # no traffic
        return [url for url in asked.values() if urlsplit(url).scheme not in own], failed

    def axe(self, rules=None):
        """Violations that axe-core finds in the page, one line each; all its rules, or those named."""
        if not self.run("return 'axe' in window"):
            self.run(AXE)
        options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
        found = self.run_async("axe.run(document, arguments[0]).then(arguments[1])", options)
        return [f"{rule['id']}: {node['target']} {node['html'][:150]} {node['failureSummary']}"
                for rule in found["violations"] for node in rule["nodes"]]

    def press(self, *keys):
        """Type on the keyboard, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()
