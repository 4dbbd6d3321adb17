"""What the tests of the page share: a server, a browser, and the page in it."""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select, WebDriverWait
except ImportError:
    sys.exit(print("page: skipped, python3-selenium is not installed"))
if not shutil.which("chromium") or not shutil.which("chromedriver"):
    sys.exit(print("page: skipped, chromium and chromium-driver are not installed"))

PATIENCE = 60  # seconds


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def start_server(program, model, listen="127.0.0.1:0", runs=None):
    server = subprocess.Popen([program, "serve", model, "--listen", listen, "--max-rows", "8", "--threads", "1"]
                              + (["--runs", runs] if runs else []), stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    assert line.startswith("listening on http://"), line
    return server, line.split()[-1]


def start_browser(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--window-size=1100,900", "--user-data-dir=" + profile]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)


class Page:
    def __init__(self, browser, address, program, model):
        self.browser, self.address, self.program, self.model = browser, address, program, model

    def open(self, panel="draw"):
        self.browser.get("about:blank")
        self.browser.get(f"{self.address}#/{panel}")
        self.wait(lambda: self.browser.execute_script("return document.getElementById('sampler').length > 0"))
        self.wait(lambda: self.at("panel-" + panel).is_displayed())

    def at(self, name):
        return self.browser.find_element(By.ID, name)

    def wait(self, holds):
        return WebDriverWait(self.browser, PATIENCE, 0.05).until(lambda _: holds())

    def fill(self, **values):
        for name, value in values.items():
            field = self.at(name)
            if field.tag_name == "select":
                Select(field).select_by_value(str(value))
            else:
                field.clear()
                field.send_keys(str(value))

    def draw(self, seed, steps, **others):
        self.fill(seed=seed, steps=steps, **others)
        self.at("draw").click()

    def done(self):
        self.wait(lambda: self.at("state").text.startswith("Done"))

    def slide(self, name, value):
        self.browser.execute_script(
            "const slider = document.getElementById(arguments[0]); slider.value = arguments[1];"
            "slider.dispatchEvent(new Event('input', {bubbles: true}))", name, value)

    def text(self, name):  # also of what is folded away
        return self.at(name).get_attribute("textContent")

    def pixels(self, canvas="picture"):
        if isinstance(canvas, str):
            canvas = self.at(canvas)
        return self.browser.execute_script(
            "const c = arguments[0];"
            "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)", canvas)

    def digest(self, canvas):  # of its pixels, for large ones
        return self.browser.execute_script(
            "const c = document.getElementById(arguments[0]);"
            "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
            "  .reduce((digest, value) => Math.imul(digest ^ value, 16777619), c.width)", canvas)

    def pixels_of(self, png):
        return self.browser.execute_async_script(
            "const done = arguments[1];"
            "const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));"
            "createImageBitmap(new Blob([bytes])).then((picture) => {"
            "  const c = new OffscreenCanvas(picture.width, picture.height);"
            "  c.getContext('2d').drawImage(picture, 0, 0);"
            "  done(Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)); });", png)

    def saved(self, link):
        """The file, in base64, that a link saves."""
        link = self.at(link)
        with tempfile.TemporaryDirectory() as folder:
            self.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": folder})
            self.browser.execute_script("arguments[0].click()", link)
            path = os.path.join(folder, link.get_attribute("download"))
            self.wait(lambda: os.path.exists(path) and os.path.getsize(path) > 0)
            return base64.b64encode(open(path, "rb").read()).decode()

    def drawn_by_api(self, **wish):
        request = urllib.request.Request(self.address + "v1/images/generations", json.dumps(wish).encode(),
                                         {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))["data"][0]["b64_json"]

    def made_by(self, command, files=None, wanted="pictures"):
        """The files, in base64, that a command makes in the folder `wanted` from files given by name in base64."""
        expect(command.startswith("diffusion "), command)
        here = command.replace("diffusion", f"'{self.program}'", 1).replace(
            f"'{os.path.basename(self.model)}'", f"'{self.model}'")
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (files or {}).items():
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(base64.b64decode(content))
            subprocess.run(here, shell=True, check=True, cwd=folder, stderr=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)
            made = os.path.join(folder, wanted)
            return {name: base64.b64encode(open(os.path.join(made, name), "rb").read()).decode()
                    for name in sorted(os.listdir(made))}

    def check_logs(self, may_fail=()):
        may_fail = ["willReadFrequently", *may_fail]  # that these tests read the canvas
        for entry in self.browser.get_log("browser"):
            expect(any(text in entry["message"] for text in may_fail), f"the console says {entry['message']}")
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                expect(url.startswith((self.address, "blob:", "data:", "chrome:", "about:")), f"a request to {url}")
