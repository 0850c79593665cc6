"""The page when answers are late, lost or missing: only the gateway in memory can do that."""
import json
import time

import pytest

from looks import low_contrast
from page_steps import css, loaded, names, open_by_search, search, text, type_into, unique, until, until_text

pytestmark = pytest.mark.browser
SYSTEMS = ("memory",)


def test_a_late_answer_does_not_replace_a_newer_one(page, system, person):
    loaded(page)
    system.fake.search_delay_s["a"] = 1.5
    css(page, "#search").send_keys("a")
    until(page, lambda d: any("query=a&" in path for _, path, _ in system.fake.requests), "the first search")
    search(page, person[1])
    until_text(page, "#result-count", "1 user found")
    time.sleep(2)  # the late answer's moment
    assert names(page) == [person[0]["displayName"]]


def test_typing_is_one_request_at_its_end(page, system):
    loaded(page)
    word = unique("typing")
    for char in word:
        css(page, "#search").send_keys(char)
    until_text(page, "#result-count", "No user found")
    queries = [path for _, path, _ in system.fake.requests if ":search" in path and "typing" in path]
    assert len(queries) < len(word) / 2
    assert word in queries[-1]


def test_a_lost_answer_can_be_repeated(page, system):
    loaded(page)
    word = unique("lost")
    css(page, "#new-user").click()
    type_into(page, "#field-displayName", word)
    type_into(page, "#field-email", f"{word}@example.org")
    system.fake.lose_next_answer = True
    css(page, "#save").click()
    until_text(page, "#sheet-problem-text", "ry again")
    css(page, "#save").click()
    until_text(page, "#notice", "was created")
    posts = [headers.get("Idempotency-Key") for method, _, headers in system.fake.requests if method == "POST"][-2:]
    assert posts[0] and posts[0] == posts[1]
    assert len(system.find(word)) == 1


def test_users_work_while_analytics_is_down(page, system, person):
    loaded(page)
    until_text(page, "#updated", "Updated")
    system.fake.analytics_down = True
    until_text(page, "#status-text", "Analytics does not answer")
    assert css(page, "#status-line").get_attribute("data-state") == "problem"
    assert low_contrast(page) == []
    open_by_search(page, person[1])
    css(page, "#edit").click()
    type_into(page, "#field-givenName", "Still here")
    css(page, "#save").click()
    until_text(page, "#notice", "was saved")
    css(page, "#sheet-close").click()
    system.fake.analytics_down = False
    css(page, "#retry").click()
    until(page, lambda d: text(d, "#status-text") == "Live", "the status line calm again")


def test_polling_stops_while_hidden(page, system):
    loaded(page)
    until_text(page, "#updated", "Updated")
    page.execute_script("""
        Object.defineProperty(document, 'hidden', {value: true, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));""")
    system.fake.requests.clear()
    time.sleep(6)  # more than one interval
    assert system.fake.requests == []
    page.execute_script("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'));")
    until(page, lambda d: any("timeseries" in path for _, path, _ in system.fake.requests), "polling again")


def test_events_come_in_pieces(page):
    """The reader of server-sent events, cut at every place where a packet may end."""
    loaded(page)
    seen = page.execute_async_script("""
        const done = arguments[arguments.length - 1];
        const text = ': hello\\r\\ndata: one\\r\\ndata: 1\\r\\n\\r\\ndata:two\\ndata:  more\\n\\nevent: error\\rdata: bad\\r\\rid: 7\\n\\ndata: cut';
        import('./js/tail.js').then(({EventReader}) => {
          const results = new Set();
          for (let i = 0; i <= text.length; i++) {
            for (let j = i; j <= text.length; j++) {
              const events = [];
              const reader = new EventReader((type, data) => events.push([type, data]));
              for (const piece of [text.slice(0, i), text.slice(i, j), text.slice(j)]) reader.push(piece);
              results.add(JSON.stringify(events));
            }
          }
          done([...results]);
        });""")
    assert [json.loads(events) for events in seen] == [
        [["message", "one\n1"], ["message", "two\n more"], ["error", "bad"]]]
