#!/usr/bin/python3
"""Takes the picture of the page that the documentation shows, from a running system.

    screenshot.py http://127.0.0.1:8080 docs/page.png [--dark] [--phone] [--full] [--no-typing]

Before that it signs in to the development sign-in and types a few searches, as a person would, so
that the trends have something to show.
"""
import argparse
import base64
import pathlib
import time

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from chrome import chromium, set_view
from page_steps import knows_who, sign_in

SEARCHES = ("anna", "jose", "müller", "garcia", "jhon smith", "anna", "maria", "qwertz", "anna", "jose")


def type_searches(driver):
    field = driver.find_element(By.ID, "search")
    for text in SEARCHES:
        field.send_keys(Keys.ESCAPE)
        for char in text:
            field.send_keys(char)
            time.sleep(0.03)
        time.sleep(1.2)  # a person reads what was found
    field.send_keys(Keys.ESCAPE)
    field.send_keys("an")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--phone", action="store_true")
    parser.add_argument("--full", action="store_true", help="the whole page, not only what is in view")
    parser.add_argument("--no-typing", action="store_true")
    parser.add_argument("--settle", type=float, default=7.0, help="seconds to wait for events to arrive")
    arguments = parser.parse_args()
    size = (360, 780) if arguments.phone else (1440, 1400)
    with chromium() as driver:
        set_view(driver, *size, dark=arguments.dark, mobile=arguments.phone, scale=2 if arguments.phone else 1)
        driver.get(arguments.url)
        WebDriverWait(driver, 15).until(lambda d: d.find_elements(By.CSS_SELECTOR, "#users .user"))
        if not knows_who(driver):
            sign_in(driver)
        if not arguments.no_typing:
            type_searches(driver)
        time.sleep(arguments.settle)
        picture = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": arguments.full})
        arguments.output.write_bytes(base64.b64decode(picture["data"]))


if __name__ == "__main__":
    main()
