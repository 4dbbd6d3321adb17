#!/usr/bin/python3
"""The page of `diffusion serve` in a real browser: Debian's chromium, chromium-driver and python3-selenium.

Usage: page_test.py PROGRAM MODEL [FOLDER]    FOLDER: for screenshots
Says so and succeeds where the browser is not installed.
"""
import os
import signal
import sys
import tempfile

import page_panels
from page_browser import By, Keys, Page, expect, start_browser, start_server


def check_drawing(page):
    page.open()
    page.draw(7, 12, sampler="ddim")
    page.done()
    expect(page.at("step-shown").text == "12 of 12", "the slider is at the last step")
    drawn = page.pixels()
    png = page.drawn_by_api(prompt="0", seed=7, sampler="ddim", num_inference_steps=12, guidance_scale=1)
    expect(drawn == page.pixels_of(png), "the canvas is the picture of the API")
    command = page.at("command").text
    expect(page.made_by(command)["000000.png"] == png, "the command makes the same bytes: " + command)
    expect(page.saved("download") == png, "the link saves the picture")
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
    for _ in range(30):
        page.browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(page.browser.switch_to.active_element.get_attribute("id"))
        if reached[-1] == "draw":
            break
    expect([name for name in reached if name] == [name for name in expected if page.at(name).is_displayed()],
           f"the keys reach {reached}")
    page.browser.switch_to.active_element.send_keys(Keys.ENTER)
    page.done()
    # Another panel, by keyboard.
    page.browser.find_element(By.CSS_SELECTOR, "#nav a[href='#/physics']").send_keys(Keys.ENTER)
    page.wait(lambda: page.at("panel-physics").is_displayed() and not page.at("wish").is_displayed())
    page.browser.back()
    page.wait(lambda: page.at("panel-draw").is_displayed() and page.at("wish").is_displayed())


def check_errors_and_cancelling(page):
    page.open()
    page.browser.execute_script("document.getElementById('steps').max = 5000")
    page.draw(1, 5000, sampler="ddim")
    page.wait(lambda: "steps" in page.at("error").text)
    expect(page.at("steps").get_attribute("aria-invalid") == "true", "the wrong field is marked")
    page.draw(1, 1000)
    page.wait(lambda: page.at("cancel").is_enabled())
    page.at("cancel").click()
    page.wait(lambda: page.at("state").text == "Stopped.")


def check_reload(page):
    page.open()
    page.draw(3, 600, sampler="ddim")
    page.wait(lambda: page.at("step").is_enabled())
    page.browser.refresh()
    page.done()
    expect(page.at("step-shown").text == "600 of 600", "a reload goes on with the job")


def check_restart(page, server, runs):
    page.open()
    page.draw(3, 1000, sampler="ddim")
    page.wait(lambda: page.at("step").is_enabled())
    server.kill()
    server.wait()
    server, _ = start_server(page.program, page.model, page.address.split("/")[2], runs)
    page.wait(lambda: page.at("error").text != "")
    page.draw(4, 3)
    page.done()
    return server


def check_first_load(page):
    page.open()
    bytes_ = page.browser.execute_script(
        "return performance.getEntries().reduce((sum, entry) => sum + (entry.encodedBodySize ?? 0), 0)")
    expect(1000 < bytes_ < 200_000, f"the first load has {bytes_} bytes")


def main():
    program, model = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    shots = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as profile, tempfile.TemporaryDirectory() as runs:
        page_panels.write_run(runs)
        server, address = start_server(program, model, runs=runs)
        browser = start_browser(profile)
        try:
            page = Page(browser, address, program, model)
            check_first_load(page)
            check_drawing(page)
            check_keyboard(page)
            page.check_logs()
            for check in page_panels.CHECKS:
                check(page)
                page.check_logs()
            page_panels.check_all(page, shots)
            page.check_logs()
            check_errors_and_cancelling(page)
            page.check_logs(["400 (Bad Request)"])
            check_reload(page)
            page.check_logs()
            server = check_restart(page, server, runs)
        finally:
            browser.quit()
            server.send_signal(signal.SIGTERM)
        expect(server.wait(timeout=60) == 0, "SIGTERM ends it with 0")
    print("page: ok")


main()
