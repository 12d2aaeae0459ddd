"""Pages as a person meets them, in headless Chromium."""

from itertools import pairwise

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from browser import WIDTHS, chromium, complaints, needs_chromium, overflow, set_width
from latents import HARD, hard_views
from workflow import TINY, snakemake
from wta_sae.presentation.latent_pages import latent_pages

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def driver():
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("latents")
    for name, page in latent_pages(hard_views(), HARD, "model, hook").items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(page, encoding="utf-8")
    return folder


def open_latent(driver, page, latent):
    driver.get(f"{page.as_uri()}#latent{latent}")


def find(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def visible_of(driver, selector):
    return [element for element in driver.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]


def rows(driver):
    """The numbers of the latents in the table, as they stand."""
    return [int(row.find_element(By.TAG_NAME, "a").text) for row in visible_of(driver, "#latents tbody tr")]


def column(driver, number):
    return [float(row.find_elements(By.TAG_NAME, "td")[number].text.rstrip(" %")) for row in visible_of(driver, "tbody tr")]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_opens_whole_and_without_a_complaint(driver, folder, width):
    set_width(driver, width)
    for page in ("index.html", "topk-k2.html", "wta-k1.html"):
        driver.get((folder / page).as_uri())
        assert overflow(driver) <= 0, page
        assert driver.title
    for view in hard_views()["wta-k1"].views:
        open_latent(driver, folder / "wta-k1.html", view.latent)
        (panel,) = visible_of(driver, "article.latent")
        assert panel.get_attribute("id") == f"latent{view.latent}" and not find(driver, "#list").is_displayed()
        assert overflow(driver) <= 0
    assert driver.execute_script("return window.harmed") is None
    assert complaints(driver) == []


def test_the_table_sorts_and_filters_and_leads_to_its_latents(driver, folder):
    set_width(driver, WIDTHS[0])
    driver.get((folder / "topk-k2.html").as_uri())
    numbers = rows(driver)
    assert numbers == sorted(numbers) and len(numbers) == 5
    density = find(driver, "th:nth-child(3) button")
    for ends in ("descending", "ascending"):
        density.click()
        assert column(driver, 2) == sorted(column(driver, 2), reverse=ends == "descending")
        assert find(driver, "th:nth-child(3)").get_attribute("aria-sort") == ends
    views = {view.latent: view for view in hard_views()["topk-k2"].views}
    middle = sorted(view.density for view in views.values())[2]
    find(driver, "#least").send_keys(str(middle))
    assert set(rows(driver)) == {latent for latent, view in views.items() if view.density >= middle}
    find(driver, "#least").clear()
    find(driver, "#word").send_keys("שלום")
    with_word = {
        latent
        for latent, view in views.items()
        if 5 in {*view.favourites, *(window.tokens[window.position] for window in view.strongest)}
    }
    assert set(rows(driver)) == with_word and 0 < len(with_word) < 5
    assert find(driver, "#count").text == f"{len(with_word)} shown"
    find(driver, "#word").clear()
    find(driver, "#word").send_keys("nowhere")
    assert rows(driver) == []


def press(driver, key):
    """Sends a key to where the focus is; returns the element that has it then."""
    driver.switch_to.active_element.send_keys(key)
    return driver.switch_to.active_element


def test_all_of_it_is_reached_by_keys_alone(driver, folder):
    driver.get((folder / "index.html").as_uri())
    press(driver, Keys.TAB)
    press(driver, Keys.ENTER)
    assert driver.current_url.endswith("topk-k2.html")
    reached = []
    for _ in range(11):  # the way back, three fields, six headings, the first latent
        active = press(driver, Keys.TAB)
        reached.append(active.get_attribute("id") or active.text.strip(" ▲▼"))
        assert active.value_of_css_property("outline-style") == "solid", reached
    headings = ["latent", "fires on", "density", "largest", "encoder · decoder", "nearest in wta-k1"]
    assert reached[:10] == ["All SAEs", "word", "least", "most", *headings]
    press(driver, Keys.ENTER)
    assert find(driver, f"#latent{reached[10]}").is_displayed()
    assert press(driver, Keys.TAB).text == "All latents of topk-k2"  # goes on within what was opened
    press(driver, Keys.ENTER)
    assert find(driver, "#list").is_displayed()


def test_a_token_tells_its_activation_and_the_outlined_one_is_what_stands_before_the_text(driver, folder):
    view = hard_views()["topk-k2"].views[0]
    open_latent(driver, folder / "topk-k2.html", view.latent)
    first = visible_of(driver, "article.latent ol li")[0]
    mark = first.find_element(By.CSS_SELECTOR, "mark.here")
    largest = f"{view.largest:.3g}"
    assert mark.get_attribute("title") == first.find_element(By.CSS_SELECTOR, ".n").text == largest
    assert mark.value_of_css_property("outline-style") == "solid"  # told without colour


def shades(driver):
    """How light the background of each shade is, the weakest first, over the page's own, as a share of white."""
    return driver.execute_script(
        """
        const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
        const paper = getComputedStyle(document.body).backgroundColor;
        return [...Array(10).keys()].map(number => {
          const mark = document.createElement('mark');
          mark.style.setProperty('--s', number + 1);
          document.body.append(mark);
          for (const colour of [paper, getComputedStyle(mark).backgroundColor]) {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
          }
          mark.remove();
          const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map(value => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        });
        """
    )


def test_shades_differ_in_lightness_and_text_on_them_can_be_read(driver, folder):
    """So that they are told apart without seeing colours: contrast as WCAG has it, 4.5 for text."""
    driver.get((folder / "topk-k2.html").as_uri())
    ink = {"light": 0.011, "dark": 0.855}  # relative luminance of #1b1b1b and #eee
    for scheme in ("light", "dark"):
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        found = shades(driver)
        steps = [after - before for before, after in pairwise(found)]
        assert all(step < 0 for step in steps) if scheme == "light" else all(step > 0 for step in steps)
        contrasts = [(max(one, ink[scheme]) + 0.05) / (min(one, ink[scheme]) + 0.05) for one in found]
        assert min(contrasts) >= 4.5, scheme


@pytest.fixture(scope="module")
def report(finished):
    process = snakemake(finished, "--report", "results/report.html", *TINY)
    assert process.returncode == 0, process.stderr
    return finished / "results/report.html"


CATEGORIES = {  # what stands in each, by the labels that a reader sees
    "Configuration": ["configuration.html"],
    "Figures": [f"figure{number}.{kind}" for number in range(1, 6) for kind in ("pdf", "png")],
    "Latents": ["batch_topk-k4", "topk-k4", "wta-k5"],
    "Paper": ["paper.pdf"],
    "Provenance": ["provenance.html"],
    "Reproduction": ["reproduction.md"],
    "Training curves": ["training_curves.pdf", "training_curves.png"],
}


def wait(driver, condition):
    return WebDriverWait(driver, 20).until(lambda _: condition())


def open_category(driver, report, category):
    """Its entries by their labels: the two buttons of each, to view it and to read of it."""
    driver.get(report.as_uri())
    wait(driver, lambda: driver.find_elements(By.XPATH, f"//*[text()='{category}']"))[0].click()
    lines = wait(driver, lambda: driver.find_elements(By.CSS_SELECTOR, "tbody tr"))
    return {line.text.strip(): line.find_elements(By.TAG_NAME, "a") for line in lines}


def test_the_report_has_everything_in_its_category_with_a_caption(driver, report):
    set_width(driver, WIDTHS[0])
    for category, names in CATEGORIES.items():
        entries = open_category(driver, report, category)
        assert list(entries) == names
        entries[names[0]][-1].click()
        description = wait(driver, lambda: driver.find_elements(By.XPATH, "//*[text()='Description']/following::*[1]"))
        assert len(description[0].text) > 40 and "Run: tiny." in description[0].text, category
    assert len(open_category(driver, report, "Tables")) == 11
    assert complaints(driver) == []


def view(driver, report, category, name):
    """What is shown of an entry, a frame or an image."""
    open_category(driver, report, category)[name][0].click()
    return wait(driver, lambda: driver.find_elements(By.CSS_SELECTOR, "iframe, img[src^='data:image/png']"))[0]


def test_what_the_report_holds_is_shown_in_it(driver, report):
    image = view(driver, report, "Training curves", "training_curves.png")
    assert wait(driver, lambda: driver.execute_script("return arguments[0].naturalWidth", image)) > 1000
    assert view(driver, report, "Paper", "paper.pdf").get_attribute("src").startswith("data:application/pdf")
    for category, name, text in (("Configuration", "configuration.html", "tiny"), ("Provenance", "provenance.html", "wta-k5")):
        driver.switch_to.frame(view(driver, report, category, name))
        assert text in wait(driver, lambda: driver.find_elements(By.TAG_NAME, "main"))[0].text
        driver.switch_to.default_content()
    driver.switch_to.frame(view(driver, report, "Latents", "wta-k5"))
    wait(driver, lambda: rows(driver))
    number = rows(driver)[3]
    find(driver, f"#row{number} a").click()
    assert [panel.get_attribute("id") for panel in visible_of(driver, "article.latent")] == [f"latent{number}"]
    driver.switch_to.default_content()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_runs_own_pages_of_latents_open(driver, finished, width):
    set_width(driver, width)
    folder = finished / "results/latents"
    for page in ("index.html", "topk-k4.html", "batch_topk-k4.html", "wta-k5.html"):
        driver.get((folder / page).as_uri())
        assert overflow(driver) <= 0 and complaints(driver) == [], page
    assert len(rows(driver)) == 16
