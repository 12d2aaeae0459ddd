"""Headless Chromium, for tests of pages."""

import shutil
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

needs_chromium = pytest.mark.skipif(not shutil.which("chromedriver"), reason="chromedriver is not installed")
WIDTHS = (1280, 390)  # pixels: a desktop's window, a phone's


@contextmanager
def chromium():
    """A driver without a network: what a page wants from elsewhere fails, and the console says so."""
    options = webdriver.ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def set_width(driver, width):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    )


def overflow(driver):
    """By how many pixels the page is wider than its window."""
    return driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")


def complaints(driver):
    """What the console has had to say since the last time, but for what Snakemake's own report always says."""
    messages = [entry["message"] for entry in driver.get_log("browser")]
    return [message for message in messages if "cdn.tailwindcss.com should not be used in production" not in message]
