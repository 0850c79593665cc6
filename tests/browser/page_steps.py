"""What tests do on the page: find, wait, type."""
import uuid

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S = 20


def css(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def text(driver, selector):
    return driver.execute_script("return document.querySelector(arguments[0])?.textContent.trim() ?? ''", selector)


def until(driver, condition, what):
    return WebDriverWait(driver, WAIT_S, poll_frequency=0.05).until(condition, what)


def until_text(driver, selector, wanted):
    until(driver, lambda d: wanted in text(d, selector), f"“{wanted}” in {selector}: “{text(driver, selector)}”")


def visible(driver, selector):
    return driver.execute_script("return [...document.querySelectorAll(arguments[0])].some((e) => e.checkVisibility())", selector)


def names(driver):
    return driver.execute_script("return [...document.querySelectorAll('.user-name')].map((e) => e.textContent)")


def loaded(driver):
    until(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#users .user"), "rows of users")


def keys(driver, *what):
    driver.switch_to.active_element.send_keys(*what)


def focused(driver):
    return driver.execute_script("return document.activeElement.id")


def type_into(driver, selector, value):
    field = css(driver, selector)
    field.clear()
    field.send_keys(value)


def search(driver, query):
    type_into(driver, "#search", query)


def unique(prefix):
    """A word that no other run has used."""
    return prefix + uuid.uuid4().hex[:10]


def open_by_search(driver, word):
    loaded(driver)
    search(driver, word)
    until_text(driver, "#result-count", "1 user found")
    css(driver, "#search").send_keys(Keys.ARROW_DOWN, Keys.ENTER)
    until(driver, lambda d: visible(d, "#edit"), "the details")
