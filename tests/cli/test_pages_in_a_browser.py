"""The pages in a real Chromium: every chart draws, tips, tables and CSV work, nothing is asked for, all can read it."""

import csv
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_runs import write_task

selenium = pytest.importorskip("selenium", reason="the pages are tried in a browser that selenium drives")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COMPARE = """\
name: versus
task: valley.yaml
seeds: 3
histogram: {bins: 5, spacing: even}
optimizers:
  sgd: {lr: 0.1}
  cprop_sgd: {like: sgd, cprop: {beta: 0.9}}
  cprop_c3: {like: cprop_sgd, cprop: {beta: 0.9, c: 3}}
  cprop_c9: {like: cprop_sgd, cprop: {beta: 0.9, c: 9}}
"""
DESKTOP, PHONE = (1200, 900), (360, 740)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of a comparison and that of a search."""
    from lrsearch.cli import main

    folder = tmp_path_factory.mktemp("pages")
    write_task(folder)
    (folder / "compare.yaml").write_text(COMPARE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["compare", "compare.yaml", "--engine", "inline"]) == 0
        assert main(["run", "valley.yaml", "--engine", "inline"]) == 0
    return {name: folder / "studies" / name / "report.html" for name in ("versus", "valley")}


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[webdriver.Chrome]:
    binary = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium and chromedriver here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driven = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield driven
    driven.quit()


Open = Callable[..., webdriver.Chrome]


@pytest.fixture
def open_page(browser: webdriver.Chrome, pages: dict[str, Path]) -> Open:
    """Open a page at a size and in a colour scheme, and wait until its charts are drawn."""

    def show(name: str, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> webdriver.Chrome:
        for log in ("browser", "performance"):
            browser.get_log(log)
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get(pages[name].as_uri())
        for figure in browser.find_elements(By.CSS_SELECTOR, "figure[data-chart]"):
            wait_for(lambda figure=figure: figure.find_elements(By.CSS_SELECTOR, ".panel > svg"))
        return browser

    return show


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def chart(page: webdriver.Chrome, slug: str) -> webdriver.remote.webelement.WebElement:
    return page.find_element(By.CSS_SELECTOR, f'figure[data-chart="{slug}"]')


def tip_of(figure: webdriver.remote.webelement.WebElement) -> str:
    return " ".join(tip.text for tip in figure.find_elements(By.CSS_SELECTOR, '[aria-label="tip"]'))


@pytest.mark.parametrize("name", ["versus", "valley"])
def test_every_chart_draws_marks(open_page: Open, name: str) -> None:
    page = open_page(name)
    figures = page.find_elements(By.CSS_SELECTOR, "figure[data-chart]")
    data = json.loads(page.find_element(By.ID, "charts").get_attribute("textContent"))
    assert [figure.get_attribute("data-chart") for figure in figures] == [of["slug"] for of in data]
    for figure in figures:
        assert figure.find_elements(By.CSS_SELECTOR, ".panel > svg :is(path, rect, circle)")


def test_all_that_a_comparison_shows_is_there(open_page: Open) -> None:
    data = json.loads(open_page("versus").find_element(By.ID, "charts").get_attribute("textContent"))
    slugs = {of["slug"] for of in data}
    of_the_metric = {f"train_loss-{kind}" for kind in ("curves", "differences", "ends", "over-cprop.c")}
    assert of_the_metric | {"mean_scale-curves", "scale_histogram"} <= slugs


@pytest.mark.parametrize("name", ["versus", "valley"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_is_said_on_the_console_and_nothing_is_asked_for(
    open_page: Open, pages: dict[str, Path], name: str, size: tuple[int, int]
) -> None:
    page = open_page(name, size)
    for button in page.find_elements(By.CSS_SELECTOR, "button"):
        if button.text == "Table":
            button.click()
    assert page.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert asked == {pages[name].as_uri()}


@pytest.mark.parametrize("slug", ["train_loss-curves", "train_loss-differences", "scale_histogram"])
def test_under_the_pointer_are_the_values(open_page: Open, slug: str) -> None:
    page = open_page("versus")
    figure = chart(page, slug)
    svg = figure.find_element(By.CSS_SELECTOR, ".panel > svg")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", svg)
    webdriver.ActionChains(page).move_to_element(svg).perform()
    wait_for(lambda: any(digit in tip_of(figure) for digit in "0123456789"))


def test_the_arrow_keys_read_the_values_out(open_page: Open) -> None:
    page = open_page("versus")
    figure = chart(page, "train_loss-curves")
    figure.find_element(By.CSS_SELECTOR, ".panel > svg").send_keys(Keys.ARROW_RIGHT)
    said = figure.find_element(By.CSS_SELECTOR, "[aria-live]").get_attribute("textContent")
    assert said.startswith("iteration 0; sgd at 0.1: ")


def test_the_table_holds_the_numbers_of_the_curves(open_page: Open) -> None:
    page = open_page("versus")
    figure = chart(page, "train_loss-ends")
    figure.find_element(By.XPATH, ".//button[text()='Table']").click()
    row = figure.find_element(By.XPATH, ".//tr[th[text()='sgd']]")
    shown = row.find_element(By.CSS_SELECTOR, "td").text
    data = json.loads(page.find_element(By.ID, "charts").get_attribute("textContent"))
    ends = next(of for of in data if of["slug"] == "train_loss-ends")
    assert float(shown) == pytest.approx(ends["rows"][0]["mean"], rel=1e-3)
    assert not figure.find_element(By.CSS_SELECTOR, ".panels").is_displayed()


def test_csv_holds_every_seed_of_the_curves(open_page: Open, downloads: Path) -> None:
    page = open_page("versus")
    chart(page, "train_loss-curves").find_element(By.XPATH, ".//button[text()='CSV']").click()
    file = downloads / "train_loss-curves.csv"
    wait_for(file.exists)
    rows = [*csv.DictReader(file.open())]
    assert {row["seed"] for row in rows} == {"0", "1", "2"}
    assert {row["line"].split()[0] for row in rows} >= {"sgd", "cprop_sgd", "cprop_sgd_control"}
    assert all(float(row["train_loss"]) > 0 for row in rows)


def test_smoothing_keeps_the_raw_curve_faintly_behind(open_page: Open) -> None:
    page = open_page("versus")
    svg = "figure[data-chart='train_loss-curves'] .panel > svg [stroke-opacity='0.4']"
    assert not page.find_elements(By.CSS_SELECTOR, svg)
    page.find_element(By.CSS_SELECTOR, "select[name=smoothing] option[value='5']").click()
    wait_for(lambda: page.find_elements(By.CSS_SELECTOR, svg))


@pytest.mark.parametrize("name", ["versus", "valley"])
def test_on_a_phone_only_tables_are_wider_than_the_page(open_page: Open, name: str) -> None:
    page = open_page(name, PHONE)
    wide = page.execute_script(
        "return [document.documentElement.scrollWidth, ...[...document.querySelectorAll('.panel > svg')]"
        ".map((svg) => svg.getBoundingClientRect().right)]"
    )
    assert max(wide) <= PHONE[0]


@pytest.mark.parametrize("name", ["versus", "valley"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_axe_finds_no_fault_in_contrast_labels_or_order(
    open_page: Open, name: str, scheme: str, size: tuple[int, int]
) -> None:
    import axe_core_python

    page = open_page(name, size, scheme)
    page.find_element(By.XPATH, "//button[text()='Table']").click()
    page.execute_script((Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    faults = page.execute_async_script("const done = arguments[0]; axe.run().then((r) => done(r.violations))")
    assert [(fault["id"], [node["html"] for node in fault["nodes"]][:3]) for fault in faults] == []
