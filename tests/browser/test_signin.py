"""Signing in and out on the page: against the development sign-in, by eye and by keyboard."""
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from chrome import set_view
from looks import keep_picture, low_contrast, unnamed_controls
from page_steps import (ADMINISTRATOR, create, css, expire_token, fill_sign_in, focused, keys, loaded, open_by_search,
                        sign_in, text, type_into, unique, until, until_text, visible)

pytestmark = pytest.mark.browser


# --- signing in and out ------------------------------------------------------------------------

def test_reading_needs_nobody_signed_in(page, guarded):
    loaded(page)
    assert text(page, "#sign-in") == "Sign in" and not visible(page, "#who")
    assert unnamed_controls(page) == [] and low_contrast(page) == []
    css(page, "#users .user").click()
    until(page, lambda d: visible(d, "#detail-gate"), "what may not be done")
    assert not visible(page, "#edit") and not visible(page, "#delete")
    assert low_contrast(page) == [] and unnamed_controls(page) == []
    assert page.execute_script("return window.violations") == []


def test_sign_in_create_edit_delete_sign_out(page, guarded, request):
    loaded(page)
    sign_in(page)
    assert text(page, "#who-name") == "Ada Lovelace"
    assert "?" not in page.current_url and "code=" not in page.current_url
    word = unique("mine")
    create(page, word)
    open_by_search(page, word)
    assert "ada (" in text(page, "#facts") and not visible(page, "#not-yours")
    keep_picture(page, request)
    css(page, "#edit").click()
    type_into(page, "#field-givenName", "Changed")
    css(page, "#save").click()
    until_text(page, "#notice", "was saved")
    css(page, "#delete").click()
    css(page, "#confirm-delete").click()
    until_text(page, "#notice", "was deleted")
    css(page, "#sign-out").click()
    until(page, lambda d: visible(d, "#sign-in"), "signed out")
    until_text(page, "#notice", "You are signed out.")
    assert page.execute_script("return Object.keys(sessionStorage).filter((k) => k.startsWith('oidc.user'))") == []
    css(page, "#sign-in").click()  # and the provider has forgotten too
    until(page, lambda d: d.find_elements(By.ID, "password"), "the provider's page")


def test_by_keyboard_only(page, guarded, request):
    loaded(page)
    css(page, "body").send_keys(Keys.TAB)
    for _ in range(6):
        if focused(page) == "sign-in":
            break
        keys(page, Keys.TAB)
    assert focused(page) == "sign-in"
    keys(page, Keys.ENTER)
    until(page, lambda d: d.find_elements(By.ID, "email"), "the provider's page")
    assert focused(page) == "email"
    assert unnamed_controls(page) == [] and low_contrast(page) == []
    keep_picture(page, request)
    keys(page, "ada@example.org", Keys.TAB, "wrong", Keys.ENTER)
    until_text(page, "#problem", "do not belong together")
    assert focused(page) == "password" and css(page, "#email").get_attribute("value") == "ada@example.org"
    assert low_contrast(page) == []
    keys(page, "ada-demo", Keys.ENTER)
    until_text(page, "#who-name", "Ada Lovelace")
    for _ in range(9):
        if focused(page) == "sign-out":
            break
        keys(page, Keys.TAB)
    keys(page, Keys.ENTER)
    until(page, lambda d: visible(d, "#sign-in"), "signed out")


def test_reload_stays_signed_in(page, guarded):
    loaded(page)
    sign_in(page)
    page.refresh()
    until_text(page, "#who-name", "Ada Lovelace")


def test_cancel_comes_back(page, guarded):
    loaded(page)
    css(page, "#sign-in").click()
    until(page, lambda d: d.find_elements(By.ID, "email"), "the provider's page")
    css(page, "button.plain").click()
    until_text(page, "#notice", "cancelled")
    assert visible(page, "#sign-in") and "error" not in page.current_url


def test_a_spent_answer_in_the_address(page, guarded):
    loaded(page)
    page.get(guarded.url + "/?code=spent&state=unknown")
    loaded(page)
    until_text(page, "#notice", "Try again")
    assert "code" not in page.current_url and visible(page, "#sign-in")


@pytest.mark.parametrize("view", [(1440, 1000), (360, 780)], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_fits_and_reads(page, guarded, view, dark, request):
    set_view(page, *view, dark=dark, mobile=view[0] < 500)
    loaded(page)
    css(page, "#new-user").click()
    until(page, lambda d: visible(d, "#gate-sign-in"), "the gate")
    assert low_contrast(page) == []
    css(page, "#gate-sign-in").click()
    until(page, lambda d: d.find_elements(By.ID, "email"), "the provider's page")
    assert page.execute_script("return document.scrollingElement.scrollWidth") <= view[0]
    assert low_contrast(page) == []
    keep_picture(page, request)
    fill_sign_in(page)
    until(page, lambda d: visible(d, "#user-form"), "the form that was wanted")
    css(page, "#cancel").click()
    until_text(page, "#who-name", "Ada Lovelace")
    assert page.execute_script("return document.scrollingElement.scrollWidth") <= view[0], "the page scrolls sideways"
    assert low_contrast(page) == [] and unnamed_controls(page) == []
    request.node.name += "-signed-in"
    keep_picture(page, request)


# --- what one may not --------------------------------------------------------------------------

def test_somebody_elses_user(page, guarded, request):
    loaded(page)
    sign_in(page, *ADMINISTRATOR)
    word = unique("hers")
    create(page, word)
    css(page, "#sign-out").click()
    until(page, lambda d: visible(d, "#sign-in"), "signed out")
    sign_in(page)
    open_by_search(page, word)
    assert visible(page, "#not-yours")
    css(page, "#edit").click()
    type_into(page, "#field-givenName", "Mine now")
    css(page, "#save").click()
    until_text(page, "#sheet-problem-text", "You may not do this")
    assert css(page, "#field-givenName").get_attribute("value") == "Mine now"
    assert low_contrast(page) == []
    keep_picture(page, request)
    css(page, "#cancel").click()
    css(page, "#delete").click()
    css(page, "#confirm-delete").click()
    until_text(page, "#sheet-problem-text", "You may not do this")
    css(page, "#sheet-close").click()
    css(page, "#sign-out").click()
    until(page, lambda d: visible(d, "#sign-in"), "signed out")
    sign_in(page, *ADMINISTRATOR)  # the administrator may
    open_by_search(page, word)
    css(page, "#delete").click()
    css(page, "#confirm-delete").click()
    until_text(page, "#notice", "was deleted")


# --- expiry and renewal ------------------------------------------------------------------------

def test_an_expired_token_is_renewed(page, guarded):
    loaded(page)
    sign_in(page)
    expire_token(page, renewable=True)
    create(page, unique("renewed"))
    assert text(page, "#who-name") == "Ada Lovelace"


def test_a_session_that_is_over(page, guarded):
    loaded(page)
    sign_in(page)
    expire_token(page, renewable=False)
    until(page, lambda d: visible(d, "#sign-in"), "nobody signed in")
    loaded(page)  # and reading goes on
