"""The physics of the page: what it computes, and how it is moved."""
from page_browser import Keys, expect
from selenium.webdriver.common.action_chains import ActionChains

# Every check computes in the browser with the page's own module, and returns what must be small or in a range.
NUMBERS = """
const done = arguments[0];
import('/mixture.js').then(({score, logDensity, forward, backward, times, variance}) => {
  const centres = [[-1.4, -0.8], [1.5, -0.5], [0, 1.4]], spread = 0.18, h = 1e-4;
  let gradient = 0;
  for (const [x, y, t] of [[0.3, -0.7, 0.05], [-1.3, -0.9, 0], [2, 2, 0.7], [0, 0, 3], [-2.5, 1, 0.2]]) {
    const [gx, gy] = score(centres, spread, x, y, t);
    const slope = (dx, dy) => (logDensity(centres, spread, x + dx, y + dy, t) - logDensity(centres, spread, x - dx, y - dy, t)) / (2 * h);
    gradient = Math.max(gradient, Math.abs(gx - slope(h, 0)), Math.abs(gy - slope(0, h)));
  }
  const along = times(200), count = 2000;
  const forth = forward(centres, spread, count, along, 1);
  // Shares of the centres, and the mean square distance from the nearest, in units of 2 spread^2.
  const facts = (state) => {
    const shares = [0, 0, 0];
    let square = 0;
    for (let k = 0; k < state.length; k += 2) {
      const squares = centres.map(([x, y]) => (state[k] - x) ** 2 + (state[k + 1] - y) ** 2);
      const least = Math.min(...squares);
      shares[squares.indexOf(least)] += 2 / state.length;
      square += least / (2 * spread ** 2) * 2 / state.length;
    }
    return {shares, square};
  };
  const moments = (state) => ({mean: state.reduce((s, v) => s + v, 0) / state.length, square: state.reduce((s, v) => s + v * v, 0) / state.length});
  const last = forth.at(-1);
  done({gradient, noise: moments(last), start: facts(forth[0]), ode: facts(backward(centres, spread, last, along, false, 2).at(-1)),
        sde: facts(backward(centres, spread, last, along, true, 2).at(-1)), variance: variance(spread, 0)});
});
"""


def check_numbers(page):
    facts = page.browser.execute_async_script(NUMBERS)
    expect(facts["gradient"] < 1e-4, f"the score is the gradient of the log density: {facts['gradient']}")
    expect(abs(facts["noise"]["mean"]) < 0.06 and abs(facts["noise"]["square"] - 1) < 0.06, f"noise at the end: {facts['noise']}")
    for way in ("start", "ode", "sde"):
        shares, square = facts[way]["shares"], facts[way]["square"]
        expect(all(abs(share - 1 / 3) < 0.05 for share in shares), f"{way}: shares of the centres {shares}")
        expect(0.9 < square < 1.1, f"{way}: the heaps are as wide as the data's, {square}")


def set_motion(page, value):
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": value}]})


def check_physics(page):
    page.open("physics")
    page.wait(lambda: page.browser.execute_script("return !!document.getElementById('centre-2')"))
    check_numbers(page)
    planes = lambda: (page.digest("particles-ode"), page.digest("particles-sde"))
    ode, sde = planes()
    expect(ode == sde, "forward both are the same particles")
    page.slide("stage", 200)
    ode, sde = planes()
    expect(ode != sde, "backward the ways differ")
    # Centres by keyboard and by mouse.
    name = page.at("centre-0").accessible_name
    page.at("centre-0").send_keys(Keys.RIGHT, Keys.UP)
    expect("at -1.3, -0.7" in page.at("centre-0").accessible_name, page.at("centre-0").accessible_name)
    expect(planes()[0] != ode, "another mixture, other particles")
    page.at("centre-0").send_keys(Keys.LEFT, Keys.DOWN)
    expect(page.at("centre-0").accessible_name == name and planes() == (ode, sde), "and the first ones again")
    ActionChains(page.browser).click_and_hold(page.at("centre-1")).move_by_offset(-40, 30).release().perform()
    expect("at 1.5, -0.5" not in page.at("centre-1").accessible_name, "the mouse drags a centre")
    # With reduced motion at once, otherwise in time; Hold holds.
    set_motion(page, "reduce")
    page.at("backward").click()
    expect(page.at("stage-shown").text == "backward, t = 0.00", page.at("stage-shown").text)
    set_motion(page, "no-preference")
    page.at("forward").click()
    page.wait(lambda: 0 < int(page.at("stage").get_attribute("value")) < 120)
    page.at("pause").click()
    held = page.at("stage").get_attribute("value")
    page.browser.execute_async_script("setTimeout(arguments[0], 200)")
    expect(page.at("stage").get_attribute("value") == held, "it holds")
    page.slide("physics-steps", 10)
    expect(page.at("stage").get_attribute("max") == "20", "fewer steps")
