"""What tests do on the page: find, wait, type."""
import uuid

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S = 60
ADMINISTRATOR = ("grace@example.org", "grace-demo")


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


def fill_sign_in(driver, email="ada@example.org", password="ada-demo"):
    """On the provider's page."""
    type_into(driver, "#email", email)
    type_into(driver, "#password", password)
    css(driver, "button.primary").click()


def knows_who(driver):
    """The page has read its configuration and says whether somebody is signed in."""
    until(driver, lambda d: visible(d, "#sign-in") or visible(d, "#who"), "the page knows who is signed in")
    return visible(driver, "#who")


def sign_in(driver, email="ada@example.org", password="ada-demo"):
    """From the page's button to the page again; the provider asks when it does not know us yet."""
    css(driver, "#sign-in").click()
    until(driver, lambda d: d.find_elements(By.ID, "password") or visible(d, "#who"), "the provider, or back")
    if driver.find_elements(By.ID, "password"):
        fill_sign_in(driver, email, password)
    until(driver, lambda d: visible(d, "#who"), "somebody signed in")
    loaded(driver)


def expire_token(driver, renewable):
    """The token is past its time, as after a laptop's sleep; without `renewable` for good."""
    driver.execute_script("""
        const name = Object.keys(sessionStorage).find((k) => k.startsWith('oidc.user'));
        const user = JSON.parse(sessionStorage.getItem(name));
        user.expires_at = Math.floor(Date.now() / 1000) - 5;
        if (!arguments[0]) user.refresh_token = 'gone';
        sessionStorage.setItem(name, JSON.stringify(user));""", renewable)
    driver.refresh()
    loaded(driver)


def write_user(page, word):
    css(page, "#new-user").click()
    until(page, lambda d: visible(d, "#user-form"), "the form")
    type_into(page, "#field-displayName", f"Néw {word}")
    type_into(page, "#field-email", f"{word}@example.org")
    css(page, "#save").click()


def create(page, word):
    write_user(page, word)
    until_text(page, "#notice", "was created")
    css(page, "#sheet-close").click()
