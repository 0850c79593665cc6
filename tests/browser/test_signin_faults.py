"""Signing in when something goes wrong: only the gateway in memory can do that."""
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from looks import keep_picture, low_contrast
from page_steps import (css, fill_sign_in, focused, keys, loaded, search, sign_in, text, type_into, unique, until,
                        until_text, visible, write_user)

pytestmark = pytest.mark.browser
SYSTEMS = ("memory",)


def test_the_form_survives_the_end_of_the_session(page, guarded, request):
    loaded(page)
    sign_in(page)
    word = unique("kept")
    css(page, "#new-user").click()
    type_into(page, "#field-displayName", f"Kept {word}")
    css(page, "#add-label").click()
    keys(page, "team", Keys.TAB, "data")
    # No token is accepted any more, new ones neither.
    guarded.fake.refuse_tokens = True
    type_into(page, "#field-email", f"{word}@example.org")
    css(page, "#save").click()
    until_text(page, "#sheet-problem-text", "Sign in and go on here")
    assert visible(page, "#sign-in") and not visible(page, "#who")  # a token that is refused twice is given up
    assert focused(page) == "sheet-sign-in" and low_contrast(page) == []
    keep_picture(page, request)
    guarded.fake.refuse_tokens = False
    keys(page, Keys.ENTER)
    until(page, lambda d: d.find_elements(By.ID, "email") or visible(d, "#user-form"), "the provider, or back")
    if page.find_elements(By.ID, "email"):
        fill_sign_in(page)
    until(page, lambda d: visible(d, "#user-form"), "the form again")
    assert css(page, "#field-displayName").get_attribute("value") == f"Kept {word}"
    assert css(page, ".label-key").get_attribute("value") == "team"
    css(page, "#save").click()
    until_text(page, "#notice", "was created")
    page.refresh()
    loaded(page)
    assert not visible(page, "#user-form")  # the draft was taken out once


def test_the_form_survives_a_cancelled_sign_in(page, guarded):
    loaded(page)
    sign_in(page)
    css(page, "#new-user").click()
    type_into(page, "#field-displayName", "Still here")
    guarded.fake.refuse_tokens = True
    type_into(page, "#field-email", "still@example.org")
    css(page, "#save").click()
    until(page, lambda d: visible(d, "#sheet-sign-in"), "the offer to sign in")
    guarded.fake.refuse_tokens = False
    page.execute_cdp_cmd("Network.clearBrowserCookies", {})
    css(page, "#sheet-sign-in").click()
    until(page, lambda d: d.find_elements(By.ID, "email"), "the provider's page")
    css(page, "button.plain").click()
    until(page, lambda d: visible(d, "#user-form"), "the form again")
    assert css(page, "#field-displayName").get_attribute("value") == "Still here"


def test_every_call_carries_the_key(page, guarded):
    loaded(page)
    sign_in(page)
    until_text(page, "#updated", "Updated")
    calls = [(path, headers) for _, path, headers in guarded.fake.requests if path.startswith("/v1/")]
    assert any("events:tail" in path for path, _ in calls)
    assert [path for path, headers in calls if headers.get("X-Api-Key", headers.get("X-API-Key")) != "page-key"] == []
    assert [path for path, _ in calls if "page-key" in path] == []


def test_a_key_that_is_not_accepted(page, guarded):
    loaded(page)
    config = guarded.fake.config
    guarded.fake.served_config = config  # what the page is told stays; what is wanted is another
    guarded.fake.config = {**config, "apiKey": "another"}
    until_text(page, "#status-text", "API key is missing or not accepted")
    assert low_contrast(page) == []
    guarded.fake.config = config
    css(page, "#retry").click()
    until(page, lambda d: text(d, "#status-text") == "Live", "the status line calm again")


def test_limits_are_told(page, guarded, request):
    loaded(page)
    sign_in(page)
    until_text(page, "#updated", "Updated")
    guarded.fake.limit_path = "/v1/users"
    guarded.fake.limit_left = 1
    word = unique("limit")
    write_user(page, word)
    until_text(page, "#sheet-problem-text", "Try again in 2 s")
    assert low_contrast(page) == []
    keep_picture(page, request)
    css(page, "#save").click()
    until_text(page, "#notice", "was created")
    css(page, "#sheet-close").click()
    guarded.fake.limit_left = 1
    began = time.monotonic()
    search(page, word)
    until_text(page, "#status-text", "Too many requests")
    until_text(page, "#result-count", "1 user found")
    assert time.monotonic() - began >= 2  # not before Retry-After
