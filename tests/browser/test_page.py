"""The page in a real browser, by keyboard and eye: see conftest.py for what it talks to."""
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from chrome import set_view
from looks import keep_picture, low_contrast, unnamed_controls
from page_steps import css, focused, keys, loaded, names, open_by_search, search, text, type_into, unique, until, until_text, visible

pytestmark = pytest.mark.browser


# --- the page as a whole -----------------------------------------------------------------------

def test_loads_without_errors_and_violations(page):
    loaded(page)
    until(page, lambda d: visible(d, "#chart canvas"), "the chart")
    until_text(page, "#updated", "Updated")
    assert page.title == "OmniData"
    assert page.execute_script("return window.violations") == []
    assert [entry for entry in page.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    elsewhere = page.execute_script(
        "return performance.getEntriesByType('resource').map((e) => e.name).filter((n) => !n.startsWith(location.origin))")
    assert elsewhere == []


def test_policy_is_in_force(page):
    """A page without a policy would pass the test above."""
    page.execute_script("document.body.append(Object.assign(document.createElement('div'), {id: 'x'}))")
    page.execute_script("document.getElementById('x').setAttribute('style', 'color: red')")
    until(page, lambda d: d.execute_script("return window.violations.length") > 0, "a violation")


@pytest.mark.parametrize("view", [(1440, 1000), (820, 1100), (360, 780)], ids=["desktop", "tablet", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_fits_and_reads(page, view, dark, request):
    set_view(page, *view, dark=dark, mobile=view[0] < 500)
    loaded(page)
    until(page, lambda d: visible(d, "#chart canvas") and visible(d, ".search-bar"), "the trends")
    width = page.execute_script("return document.scrollingElement.scrollWidth")
    assert width <= view[0], "the page scrolls sideways"
    assert low_contrast(page) == []
    keep_picture(page, request)


def test_dialogs_read_in_both_lights(page, person, request):
    open_by_search(page, person[1])
    for dark in (False, True):
        set_view(page, 360, 780, dark=dark, mobile=True)
        assert low_contrast(page) == []
        css(page, "#edit").click()
        type_into(page, "#field-email", "nobody")
        css(page, "#save").click()
        until(page, lambda d: text(d, "#error-email"), "an error")
        assert low_contrast(page) == []
        css(page, "#cancel").click()
        css(page, "#delete").click()
        assert low_contrast(page) == []
        css(page, "#confirm-cancel").click()
    keep_picture(page, request)


def test_every_control_has_a_name(page, person):
    loaded(page)
    until(page, lambda d: visible(d, ".search-bar"), "the trends")
    assert unnamed_controls(page) == []
    open_by_search(page, person[1])
    assert unnamed_controls(page) == []
    css(page, "#edit").click()
    assert unnamed_controls(page) == []
    assert page.execute_script("return [...document.querySelectorAll('[id]')].length === new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size")
    missing = page.execute_script("""
        return [...document.querySelectorAll('[aria-describedby], [aria-labelledby], [aria-controls], label[for]')]
          .flatMap((e) => ['aria-describedby', 'aria-labelledby', 'aria-controls', 'for'].map((a) => e.getAttribute(a)))
          .filter(Boolean).flatMap((ids) => ids.split(' ')).filter((id) => !document.getElementById(id))""")
    assert missing == []


def test_focus_is_visible(page):
    loaded(page)
    css(page, "body").send_keys(Keys.TAB)
    seen = []
    for _ in range(12):
        style = page.execute_script("""
            const s = getComputedStyle(document.activeElement);
            return [document.activeElement.id || document.activeElement.className, s.outlineStyle, parseFloat(s.outlineWidth)]""")
        seen.append(style)
        keys(page, Keys.TAB)
    assert [entry for entry in seen if entry[1] == "none" or entry[2] < 2] == []
    assert {"search", "users", "new-user"} <= {entry[0] for entry in seen}


# --- searching ---------------------------------------------------------------------------------

def test_search_by_keyboard_only(page, person):
    loaded(page)
    css(page, "body").send_keys("/")
    assert focused(page) == "search"
    keys(page, person[1][:9].upper())
    until_text(page, "#result-count", "1 user found")
    assert names(page) == [person[0]["displayName"]]
    assert text(page, "#users mark").lower() == person[1][:9].lower()
    keys(page, Keys.ARROW_DOWN)
    option = css(page, "#search").get_attribute("aria-activedescendant")
    assert css(page, f"#{option}").get_attribute("aria-selected") == "true"
    keys(page, Keys.ARROW_UP)
    assert css(page, "#search").get_attribute("aria-activedescendant") is None
    keys(page, Keys.ARROW_DOWN, Keys.ENTER)
    until_text(page, ".detail-email", person[0]["email"])
    assert page.current_url.endswith("#/users/" + person[0]["id"])
    until(page, lambda d: focused(d) == "edit", "focus in the sheet")
    keys(page, Keys.ESCAPE)
    until(page, lambda d: focused(d) == "search", "focus back in the search")
    keys(page, Keys.ESCAPE)
    until(page, lambda d: len(names(d)) > 1, "all users again")


def test_no_user_found(page):
    loaded(page)
    word = unique("nobody")
    search(page, word)
    until_text(page, "#result-count", "No user found")
    assert word in text(page, "#no-users-title")
    assert not visible(page, "#users")


def test_more_pages(page):
    loaded(page)
    assert len(names(page)) == 25
    css(page, "#more").click()
    until(page, lambda d: len(names(d)) == 50, "a second page")
    until(page, lambda d: focused(d) == "users", "focus in the list")
    assert css(page, "#users").get_attribute("aria-activedescendant") == "user-25"
    ids = page.execute_script("return [...document.querySelectorAll('.user-email')].map((e) => e.textContent)")
    assert len(set(ids)) == 50


def test_a_query_that_is_refused(page):
    loaded(page)
    search(page, " ".join(f"word{i:02}" for i in range(20)))  # equal ones would count once
    until(page, lambda d: css(d, "#search").get_attribute("aria-invalid"), "the field marked")
    search(page, "")
    css(page, "#search").send_keys(Keys.ENTER)
    until(page, lambda d: not css(d, "#search").get_attribute("aria-invalid"), "the field unmarked")


# --- creating, changing, deleting --------------------------------------------------------------

def test_create_with_a_field_error_then_fixed(page, system):
    loaded(page)
    word = unique("new")
    css(page, "#new-user").click()
    assert focused(page) == "field-displayName"
    keys(page, f"Néw {word}", Keys.TAB, "not an address", Keys.ENTER)
    until(page, lambda d: text(d, "#error-email"), "an error at the field")
    assert css(page, "#field-email").get_attribute("aria-invalid") == "true"
    assert focused(page) == "field-email"
    assert text(page, "#error-displayName") == ""
    type_into(page, "#field-email", f"{word}@example.org")
    Select(css(page, "#field-status")).select_by_visible_text("Invited")
    css(page, "#add-label").click()
    keys(page, "team", Keys.TAB, "data")
    css(page, "#save").click()
    until_text(page, "#notice", "was created")
    assert css(page, "#sheet #notice") and "notice" in page.execute_script(
        "const r = document.querySelector('.notice').getBoundingClientRect(); return document.elementFromPoint(r.x + 5, r.y + 5).className")
    until_text(page, "#detail-head", "Invited")
    assert "data" in text(page, "#facts")
    created = [user for user in system.find(word) if user["email"] == f"{word}@example.org"]
    assert [(u["displayName"], u["status"], u["labels"]) for u in created] == [(f"Néw {word}", "USER_STATUS_INVITED", {"team": "data"})]
    assert page.execute_script("return window.violations") == []


def test_taken_email_is_shown_at_the_field(page, person):
    loaded(page)
    css(page, "#new-user").click()
    type_into(page, "#field-displayName", "Second")
    type_into(page, "#field-email", person[0]["email"].upper())
    css(page, "#save").click()
    until(page, lambda d: text(d, "#error-email"), "an error at the field")


def test_bad_label_is_shown_at_the_labels(page, person):
    open_by_search(page, person[1])
    css(page, "#edit").click()
    css(page, "#add-label").click()
    keys(page, "Not A Key", Keys.TAB, "x", Keys.ENTER)
    until_text(page, "#error-labels", "Not A Key")
    css(page, ".label-row:last-child button").click()
    css(page, "#add-label").click()
    keys(page, "team", Keys.TAB, "other", Keys.ENTER)
    until_text(page, "#error-labels", "twice")


def test_edit_changes_only_what_was_changed(page, system, person):
    user, word = person
    open_by_search(page, word)
    css(page, "#edit").click()
    type_into(page, "#field-givenName", "Pát")
    css(page, "#save").click()
    until_text(page, "#notice", "was saved")
    now = system.call("GET", f"/v1/users/{user['id']}")
    assert now["givenName"] == "Pát" and now["labels"] == {"team": "data"} and now["etag"] != user["etag"]
    if system.fake:
        method, path, headers = [r for r in system.fake.requests if r[0] == "PATCH"][-1]
        assert "updateMask=givenName" in path
        assert headers["If-Match"] == f'"{user["etag"]}"' and len(headers["Idempotency-Key"]) >= 16


def test_labels_can_be_taken_away(page, system, person):
    open_by_search(page, person[1])
    css(page, "#edit").click()
    css(page, ".label-row button").click()
    css(page, "#save").click()
    until_text(page, "#notice", "was saved")
    assert system.call("GET", f"/v1/users/{person[0]['id']}").get("labels", {}) == {}


def test_edit_conflict_and_reload(page, system, person):
    user, word = person
    open_by_search(page, word)
    css(page, "#edit").click()
    system.call("PATCH", f"/v1/users/{user['id']}?updateMask=familyName", {"familyName": "Elsewhere"})
    type_into(page, "#field-givenName", "Mine")
    css(page, "#save").click()
    until_text(page, "#sheet-problem-text", "Somebody else changed this user")
    assert focused(page) == "sheet-reload"
    assert "givenName" not in system.call("GET", f"/v1/users/{user['id']}")
    keys(page, Keys.ENTER)
    until(page, lambda d: d.execute_script("return document.getElementById('field-familyName').value") == "Elsewhere", "the current version")
    assert not visible(page, "#sheet-problem")
    type_into(page, "#field-givenName", "Mine")
    css(page, "#save").click()
    until_text(page, "#notice", "was saved")
    now = system.call("GET", f"/v1/users/{user['id']}")
    assert (now["givenName"], now["familyName"]) == ("Mine", "Elsewhere")


def test_delete(page, system, person):
    open_by_search(page, person[1])
    css(page, "#delete").click()
    assert css(page, "#confirm").get_attribute("open") is not None
    assert focused(page) == "confirm-cancel"
    keys(page, Keys.ESCAPE)
    until(page, lambda d: not visible(d, "#confirm"), "the question gone")
    assert system.find(person[1]) != []
    css(page, "#delete").click()
    css(page, "#confirm-delete").click()
    until_text(page, "#notice", "was deleted")
    until_text(page, "#result-count", "No user found")
    assert not visible(page, "#sheet")
    assert system.find(person[1]) == []


def test_delete_conflict(page, system, person):
    user, word = person
    open_by_search(page, word)
    system.call("PATCH", f"/v1/users/{user['id']}?updateMask=familyName", {"familyName": "Elsewhere"})
    css(page, "#delete").click()
    css(page, "#confirm-delete").click()
    until_text(page, "#confirm-problem", "Somebody else changed this user")
    css(page, "#confirm-reload").click()
    until_text(page, "#facts", "Elsewhere")
    css(page, "#delete").click()
    css(page, "#confirm-delete").click()
    until_text(page, "#notice", "was deleted")


def test_text_is_never_markup(page, system):
    word = unique("xss")
    name = f'<img src=x onerror="window.hacked=1"> {word}'
    system.create(name, f"{word}@example.org", labels={"team": "<b>x</b>"})
    open_by_search(page, word)
    assert names(page) == [name]
    assert text(page, ".detail-name") == name and "<b>x</b>" in text(page, "#facts")
    assert page.execute_script("return window.hacked ?? null") is None


def test_address_opens_and_back_closes(page, system, person):
    loaded(page)
    page.get(f"{system.url}/#/users/{person[0]['id']}")
    until_text(page, ".detail-email", person[0]["email"])
    css(page, "#sheet-close").click()
    until(page, lambda d: not visible(d, "#sheet"), "the sheet closed")
    assert "#" not in page.current_url
    search(page, person[1])
    until_text(page, "#result-count", "1 user found")
    css(page, "#users .user").click()
    until(page, lambda d: visible(d, "#edit"), "the details")
    page.back()
    until(page, lambda d: not visible(d, "#sheet"), "the sheet closed by back")


def test_unknown_user_in_the_address(page, system):
    loaded(page)
    page.get(f"{system.url}/#/users/01890000-0000-7000-8000-000000000000")
    until_text(page, "#sheet-problem-text", "does not exist")


# --- trends ------------------------------------------------------------------------------------

def test_trends_appear(page):
    loaded(page)
    found, missing = "anna", unique("miss")
    for query in (found, missing):
        search(page, query)
        until(page, lambda d: d.execute_script("return document.getElementById('users').ariaBusy") != "true", "an answer")
        until(page, lambda d, q=query: q in text(d, "#no-users-title"), "the answer to it")
    until(page, lambda d: visible(d, "#chart canvas"), "the chart")
    until_text(page, "#ticker", "Users searched")
    until_text(page, "#chart-summary", "in the last hour")
    until(page, lambda d: visible(d, "#top-searches .search-bar"), "top searches")
    until(page, lambda d: text(d, "#figure-emitted") not in ("–", "0"), "emitted events")
    assert "–" not in [text(page, f"#figure-{name}") for name in ("emitted", "waiting", "queued", "archived", "quarantined")]


def test_everything_gets_archived(page):
    loaded(page)
    WebDriverWait(page, 90).until(lambda d: text(d, "#pipeline-state") == "All archived", "all archived")


def test_table_says_what_the_chart_shows(page):
    loaded(page)
    until_text(page, "#chart-summary", "in the last hour")
    css(page, "#chart-table summary").click()
    until(page, lambda d: d.find_elements(By.CSS_SELECTOR, "#chart-rows tr"), "rows")
    heads = [e.text for e in page.find_elements(By.CSS_SELECTOR, "#chart-heads th")]
    assert heads == ["Minute", "Searched", "Read", "Listed", "Created", "Updated", "Deleted", "All", "Failed"]
    rows = page.execute_script("""
        return [...document.querySelectorAll('#chart-rows tr')].slice(0, 5)
          .map((row) => [...row.querySelectorAll('td')].map((cell) => Number(cell.textContent.replaceAll(',', ''))))""")
    for cells in rows:  # read at once: a poll may draw them anew
        assert sum(cells[:6]) == cells[6]


def test_legend_takes_kinds_out(page):
    loaded(page)
    until_text(page, "#chart-summary", "in the last hour")
    entry = css(page, ".legend-entry")
    before = page.execute_script("return document.querySelector('#chart canvas').toDataURL()")
    entry.send_keys(Keys.ENTER)
    assert entry.get_attribute("aria-pressed") == "false"
    until(page, lambda d: d.execute_script("return document.querySelector('#chart canvas').toDataURL()") != before, "another picture")


def test_a_top_search_searches(page, system):
    loaded(page)
    until(page, lambda d: visible(d, "#top-searches .search-bar"), "top searches")
    bar = css(page, "#top-searches .search-bar")
    wanted = text(page, "#top-searches .search-text")
    bar.click()
    assert css(page, "#search").get_attribute("value") == wanted
    until(page, lambda d: wanted in text(d, "#no-users-title"), "the search carried out")


def test_polling_does_not_take_the_focus_away(page, system):
    loaded(page)
    until(page, lambda d: visible(d, "#top-searches .search-bar"), "top searches")
    page.execute_script("document.querySelector('#top-searches .search-bar').focus()")
    updated = text(page, "#updated")
    until(page, lambda d: text(d, "#updated") not in ("", updated), "the next poll")
    assert page.execute_script("return document.activeElement.className") == "search-bar"


def test_ticker_pauses(page, system):
    loaded(page)
    css(page, "#pause").click()
    assert css(page, "#pause").get_attribute("aria-pressed") == "true"
    word = unique("pause")
    system.create(word, f"{word}@example.org")
    css(page, "#pause").click()
    assert css(page, "#pause").get_attribute("aria-pressed") == "false"
