"""What each panel of the page must do."""
import base64
import json
import os
import struct
import tempfile
import zlib

from page_browser import By, Keys, expect
from page_physics import check_physics
from selenium.webdriver.common.action_chains import ActionChains

RUN = "boots & co"


def png(width, height):
    """A colored picture."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in (255 * x // width, 255 * y // height, 99))
                    for y in range(height))
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_run(folder):
    """A training to look at."""
    run = os.path.join(folder, RUN)
    os.makedirs(os.path.join(run, "previews"))
    with open(os.path.join(run, "log.jsonl"), "w") as log:
        for step in range(1, 1001):
            line = {"step": step, "loss": 1 / step + 0.1, "learning_rate": 1e-3, "gradient_norm": 1,
                    "images_per_second": 9, "seconds": step}
            if step % 250 == 0:
                line["held_out"] = {"loss": 0.2, "sigma": [0.1, 1, 10], "loss_by_sigma": [0.3 - step / 1e4, 0.1]}
            log.write(json.dumps(line) + "\n")
    for step in (500, 1000):
        with open(os.path.join(run, "previews", f"step-{step:09}.png"), "wb") as file:
            file.write(png(40, 20 if step == 500 else 30))


def check_compare(page):
    page.open("compare")
    for box in page.browser.find_elements(By.CSS_SELECTOR, "#samplers input"):
        if box.is_selected() != (box.get_attribute("value") in ("ddim", "heun", "ddpm")):
            box.send_keys(Keys.SPACE)
    page.draw(5, 6)
    page.done()
    tiles = {tile.find_element(By.TAG_NAME, "strong").text: tile.find_element(By.TAG_NAME, "canvas")
             for tile in page.browser.find_elements(By.CSS_SELECTOR, "#tiles figure")}
    expect(sorted(tiles) == ["ddim", "ddpm", "heun"], str(tiles))
    for sampler, canvas in tiles.items():
        drawn = page.pixels(canvas)
        made = page.made_by(page.text(f"{sampler}-command"))["000000.png"]
        expect(drawn == page.pixels_of(made), f"{sampler}: the canvas is what the command makes")
        expect(made == page.drawn_by_api(prompt="0", seed=5, sampler=sampler, num_inference_steps=6),
               f"{sampler}: and what the API makes")
        page.slide("way", 30)
        expect(page.pixels(canvas) != drawn, f"{sampler}: the slider shows an earlier step")
        page.slide("way", 100)
        expect(page.pixels(canvas) == drawn, f"{sampler}: and the last one again")


def check_between(page):
    page.open("between")
    page.draw(3, 5, to_seed=9, count=5, sampler="ddpm")
    page.done()
    made = page.made_by(page.text("between-command"))
    expect(len(made) == 5, str(list(made)))
    for k, name in enumerate(made):
        page.slide("share", k)
        expect(page.pixels("between-picture") == page.pixels_of(made[name]), f"frame {k} is what the command makes")
        expect(page.saved("between-download") == made[name], f"frame {k} is what is saved")
    for name, seed in (("000000.png", 3), ("000004.png", 9)):
        expect(made[name] == page.drawn_by_api(prompt="0", seed=seed, sampler="ddpm", num_inference_steps=5),
               f"the end of seed {seed} is its picture")


def drop(page, box, content, name="mine.png"):
    page.browser.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[1]), (c) => c.charCodeAt(0));"
        "const data = new DataTransfer(); data.items.add(new File([bytes], arguments[2]));"
        "document.getElementById(arguments[0]).dispatchEvent(new DragEvent('drop', {dataTransfer: data, cancelable: true}))",
        box, base64.b64encode(content).decode(), name)


def check_mask(page):
    page.open("mask")
    page.at("draw").click()
    page.wait(lambda: "no picture yet" in page.at("error").text)
    page.at("mask-sample").click()
    page.wait(lambda: "paint" in page.at("mask-state").text)
    clean = page.pixels("mask-canvas")
    # By keyboard, then with the mouse.
    canvas = page.at("mask-canvas")
    canvas.send_keys(Keys.UP, Keys.UP, Keys.LEFT)
    expect("Column 14, row 13: kept" in page.at("mask-state").text, page.at("mask-state").text)
    canvas.send_keys(Keys.SPACE)
    expect(page.at("mask-state").text.startswith("2%"), "a brush of radius 2: " + page.at("mask-state").text)
    ActionChains(page.browser).move_to_element(canvas).click_and_hold().move_by_offset(60, 40).release().perform()
    page.at("seed").click()  # the cursor goes with the focus
    expect(page.pixels("mask-canvas") != clean, "what is painted over is seen")
    page.draw(8, 4, sampler="ddim")
    page.done()
    files = {"picture.png": page.saved("mask-download1"), "mask.png": page.saved("mask-download2")}
    made = page.made_by(page.text("mask-command"), files)["000000.png"]
    expect(page.saved("mask-download") == made, "the command makes the same bytes")
    new, old = page.pixels("mask-picture"), page.pixels_of(files["picture.png"])
    mask = page.pixels_of(files["mask.png"])
    expect(new == page.pixels_of(made), "the canvas is the picture")
    expect(all(n == o for n, o, m in zip(new, old, mask) if m == 0), "what is not painted over stays")
    expect(new != old, "what is painted over is new")
    # A picture of one's own, of another size.
    drop(page, "mask-file", png(300, 200))
    page.wait(lambda: page.pixels("mask-canvas") != clean and "paint" in page.at("mask-state").text)
    page.at("mask-clear").click()
    page.at("draw").click()
    page.wait(lambda: "Nothing is painted over" in page.at("error").text)


def check_noise(page):
    page.open("noise")
    with tempfile.TemporaryDirectory() as folder:
        photo = os.path.join(folder, "photo.png")
        open(photo, "wb").write(png(1500, 500))  # above what is sent
        page.at("noise-photo").send_keys(photo)
        page.wait(lambda: page.at("timestep").is_enabled())
    made = page.made_by(page.text("noise-command"), {"picture.png": page.saved("noise-download")})
    expect(len(made) == 21, str(list(made)))
    for k, name in [(0, "t000000.png"), (5, "t000050.png"), (20, "t000199.png")]:
        page.slide("timestep", k)
        expect(page.pixels("noise-picture") == page.pixels_of(made[name]), f"{name} is what the command makes")
    before = page.digest("noise-picture")
    drop(page, "noise-file", png(60, 60))
    page.wait(lambda: page.digest("noise-picture") != before)
    drop(page, "noise-file", b"no picture", "words.txt")
    page.wait(lambda: "words.txt is no picture" in page.at("noise-error").text)
    page.at("noise-example").click()
    page.wait(lambda: page.at("noise-error").text == "")


def check_runs(page):
    page.open("runs")
    page.wait(lambda: len(page.browser.find_elements(By.CSS_SELECTOR, "svg.chart")) == 2)
    expect("Step 1000" in page.at("run-facts").text and "held-out 0.2" in page.at("run-facts").text,
           page.at("run-facts").text)
    curves = page.browser.find_elements(By.CSS_SELECTOR, "svg.chart polyline")
    expect(len(curves) == 3 + 2, f"{len(curves)} curves")
    expect(curves[3].get_attribute("points").count(",") == 4, "four measurements of the lowest levels")
    picture = page.at("preview-picture")
    height = lambda: page.browser.execute_script("return arguments[0].naturalHeight", picture)
    page.wait(lambda: height() == 30)
    page.slide("preview", 0)
    page.wait(lambda: height() == 20)
    expect(page.text("run-command") == f"diffusion plot '{RUN}' -o loss.svg", page.text("run-command"))


def check_all(page, shots):
    """Every panel: names of all controls, all of them by keyboard, no sideways scrolling on a phone, all themes."""
    for panel in ("draw", "compare", "between", "mask", "noise", "physics", "runs"):
        page.open(panel)
        if panel == "runs":
            page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, "svg.chart"))
        controls = {c.id: c for c in page.browser.find_elements(By.CSS_SELECTOR, "input, select, button, canvas[tabindex]")
                    if c.is_displayed() and c.is_enabled()}
        for control in controls.values():
            expect(control.accessible_name, f"{panel}: {control.get_attribute('id')} has no name")
        for _ in range(80):
            ActionChains(page.browser).send_keys(Keys.TAB).perform()
            controls.pop(page.browser.switch_to.active_element.id, None)
            if not controls:
                break
        expect(not controls, f"{panel}: no key reaches {[c.get_attribute('id') for c in controls.values()]}")
        for width, theme in ((375, "dark"), (1100, "light")):
            page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
            page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                "features": [{"name": "prefers-color-scheme", "value": theme}]})
            wide = page.browser.execute_script("return document.documentElement.scrollWidth")
            expect(wide <= width, f"{panel} is {wide} wide on a screen of {width}")
            if shots:
                page.browser.save_screenshot(os.path.join(shots, f"{panel}-{theme}-{width}.png"))
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


CHECKS = [check_compare, check_between, check_mask, check_noise, check_physics, check_runs]
