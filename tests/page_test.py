#!/usr/bin/python3
"""The page of `diffusion serve` in a real browser: Debian's chromium, chromium-driver and python3-selenium.

Usage: page_test.py PROGRAM MODEL [FOLDER]    FOLDER: for screenshots
Says so and succeeds where the browser is not installed.
"""
import base64
import json
import os
import shutil
import signal
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


def start_server(program, model, listen="127.0.0.1:0"):
    server = subprocess.Popen([program, "serve", model, "--listen", listen, "--max-rows", "8", "--threads", "1"],
                              stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    assert line.startswith("listening on http://"), line
    return server, line.split()[-1]


def start_browser(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--window-size=1000,900", "--user-data-dir=" + profile]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)


class Page:
    def __init__(self, browser, address):
        self.browser, self.address = browser, address

    def open(self):
        self.browser.get(self.address)
        self.wait(lambda: self.at("sampler").find_elements(By.TAG_NAME, "option"))

    def at(self, name):
        return self.browser.find_element(By.ID, name)

    def wait(self, holds):
        return WebDriverWait(self.browser, PATIENCE, 0.05).until(lambda _: holds())

    def draw(self, seed, steps, sampler="ddim"):
        Select(self.at("sampler")).select_by_value(sampler)
        for name, value in [("seed", seed), ("steps", steps)]:
            self.at(name).clear()
            self.at(name).send_keys(str(value))
        self.at("draw").click()

    def done(self):
        self.wait(lambda: self.at("state").text.startswith("Done"))

    def pixels(self):
        return self.browser.execute_script(
            "const c = document.getElementById('picture');"
            "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)")

    def pixels_of(self, png):
        return self.browser.execute_async_script(
            "const done = arguments[1];"
            "const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));"
            "createImageBitmap(new Blob([bytes])).then((picture) => {"
            "  const c = new OffscreenCanvas(picture.width, picture.height);"
            "  c.getContext('2d').drawImage(picture, 0, 0);"
            "  done(Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)); });", png)


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def drawn_by_api(address, wish):
    request = urllib.request.Request(address + "v1/images/generations", json.dumps(wish).encode(),
                                     {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))["data"][0]["b64_json"]


def check_drawing(page, program, model):
    page.open()
    page.draw(7, 12)
    page.done()
    expect(page.at("step-shown").text == "12 of 12", "the slider is at the last step")
    drawn = page.pixels()
    png = drawn_by_api(page.address, {"prompt": "0", "seed": 7, "sampler": "ddim", "num_inference_steps": 12,
                                      "guidance_scale": 1})
    expect(drawn == page.pixels_of(png), "the canvas is the picture of the API")
    # The command makes the same file.
    command = page.at("command").text
    expect(command.startswith("diffusion sample "), command)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command.replace("diffusion", f"'{program}'", 1).replace(f"'{os.path.basename(model)}'", f"'{model}'"),
                       shell=True, check=True, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        made = open(os.path.join(folder, "pictures", "000000.png"), "rb").read()
    expect(base64.b64encode(made).decode() == png, "the command makes the same bytes: " + command)
    # The steps again, by keyboard.
    page.at("step").send_keys(Keys.HOME)
    expect(page.at("step-shown").text == "1 of 12", page.at("step-shown").text)
    expect(page.pixels() != drawn, "the first step is another picture")
    page.at("step").send_keys(Keys.END)
    expect(page.pixels() == drawn, "the last step is the picture again")


def check_keyboard(page):
    page.open()
    expected = ["model", "label", "seed", "sampler", "steps", "guidance", "draw"]
    reached = []
    for _ in range(20):
        page.browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(page.browser.switch_to.active_element.get_attribute("id"))
        if reached[-1] == "draw":
            break
    expect([name for name in reached if name] == [name for name in expected if page.at(name).is_displayed()],
           f"the keys reach {reached}")
    page.browser.switch_to.active_element.send_keys(Keys.ENTER)
    page.done()
    for control in page.browser.find_elements(By.CSS_SELECTOR, "input, select, button"):
        if control.is_displayed():
            expect(control.accessible_name, f"{control.get_attribute('id')} has no name")


def check_errors_and_cancelling(page):
    page.open()
    page.browser.execute_script("document.getElementById('steps').max = 5000")
    page.draw(1, 5000)
    page.wait(lambda: "steps" in page.at("error").text)
    expect(page.at("steps").get_attribute("aria-invalid") == "true", "the wrong field is marked")
    page.draw(1, 1000)
    page.wait(lambda: page.at("cancel").is_enabled())
    page.at("cancel").click()
    page.wait(lambda: page.at("state").text == "Stopped.")


def check_reload(page):
    page.open()
    page.draw(3, 600)
    page.wait(lambda: page.at("step").is_enabled())
    page.browser.refresh()
    page.done()
    expect(page.at("step-shown").text == "600 of 600", "a reload goes on with the job")


def check_restart(page, server, program, model):
    page.open()
    page.draw(3, 1000)
    page.wait(lambda: page.at("step").is_enabled())
    server.kill()
    server.wait()
    server, _ = start_server(program, model, page.address.split("/")[2])
    page.wait(lambda: page.at("error").text != "")
    page.draw(4, 3)
    page.done()
    return server


def check_logs(page, may_fail=()):
    may_fail = ["willReadFrequently", *may_fail]  # that this test reads the canvas
    for entry in page.browser.get_log("browser"):
        expect(any(text in entry["message"] for text in may_fail), f"the console says {entry['message']}")
    for entry in page.browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            expect(url.startswith((page.address, "blob:", "data:", "chrome:")), f"a request to {url}")


def main():
    program, model = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    server, address = start_server(program, model)
    with tempfile.TemporaryDirectory() as profile:
        browser = start_browser(profile)
        try:
            page = Page(browser, address)
            check_drawing(page, program, model)
            if len(sys.argv) > 3:
                browser.save_screenshot(os.path.join(sys.argv[3], "page.png"))
            check_keyboard(page)
            check_logs(page)
            check_errors_and_cancelling(page)
            check_logs(page, ["400 (Bad Request)"])
            check_reload(page)
            check_logs(page)
            server = check_restart(page, server, program, model)
        finally:
            browser.quit()
            server.send_signal(signal.SIGTERM)
    expect(server.wait(timeout=60) == 0, "SIGTERM ends it with 0")
    print("page: ok")


main()
