"""The annotation on a trajectory's page and in the run's list, and the form that writes it: whose it has to be, and what it may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browser import CHROMIUM, DRIVER, open_browser
from loopback import TOKEN, Loopback

import reasoner
from reasoner.serve.app import application
from reasoner.serve.approvals import Approvals
from reasoner.serve.report import render
from reasoner.serve.settings import Settings
from reasoner.serve.viewer import Viewer
from reasoner.store import Store
from reasoner.store.annotations import annotate, annotation

SETTINGS = Settings(TOKEN)
HOSTILE = '"><script>alert(1)</script>{{ 7 * 7 }}'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    reasoner.bench("game24", strategy="cot", model="teacher", n=2, db=tmp_path / "t.db")
    with Store.open(tmp_path / "t.db") as opened:
        yield opened


@pytest.fixture
def server(store: Store) -> Iterator[Loopback]:
    approvals = Approvals(store, SETTINGS)
    with Loopback(application(store, SETTINGS, pages=Viewer(store, SETTINGS, approvals).routes(), approvals=approvals)) as running:
        yield running


def ids(store: Store) -> list[str]:
    return [name for (name,) in store.tuples("SELECT id FROM trajectories ORDER BY rowid")]


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', page)
    assert found is not None
    return found[1]


def test_a_person_writes_changes_and_removes_it_on_the_page(server: Loopback, store: Store) -> None:
    name = ids(store)[0]
    url = f"{server.url}/view/{SETTINGS.page_key}/t/{name}"
    page = httpx.get(url).text
    assert '<meta name="referrer" content="same-origin">' in page, "without it a browser sends no Origin"
    form = {"csrf": csrf(page), "token": TOKEN, "do": "save", "label": "good", "note": "a\r\nb"}
    taken = httpx.post(f"{url}/annotation", data=form, headers={"Origin": server.url})
    assert taken.status_code == 303
    assert taken.headers["location"].endswith(f"/t/{name}#annotation")
    found = annotation(store, name)
    assert found is not None
    assert (found["label"], found["note"]) == ("good", "a\nb")
    known = {"Origin": server.url, "Cookie": taken.headers["set-cookie"].partition(";")[0]}
    page = httpx.get(url, headers=known).text
    assert 'name="token"' not in page
    assert 'value="good"' in page
    assert '<option value="good">' in page
    assert re.search(r"<textarea[^>]*>\na\nb</textarea>", page)
    assert httpx.post(f"{url}/annotation", data={"csrf": csrf(page), "do": "save", "note": "c"}, headers=known).status_code == 303
    found = annotation(store, name)
    assert found is not None
    assert (found["label"], found["note"]) == ("", "c")
    assert httpx.post(f"{url}/annotation", data={"csrf": csrf(page), "do": "remove"}, headers=known).status_code == 303
    assert annotation(store, name) is None


def test_the_form_of_anybody_else_is_refused(server: Loopback, store: Store) -> None:
    name, other = ids(store)
    base = f"{server.url}/view/{SETTINGS.page_key}/t"
    page = httpx.get(f"{base}/{name}").text
    assert TOKEN not in page
    own = {"Origin": server.url}
    good = {"csrf": csrf(page), "token": TOKEN, "do": "save", "label": "x"}
    for form, headers in [
        (good, {}),  # no Origin: no browser sent it from a page of ours
        (good, {"Origin": "https://evil.example"}),
        (good, {"Origin": "null"}),
        ({**good, "csrf": "0" * 64}, own),
        ({**good, "csrf": csrf(httpx.get(f"{base}/{other}").text)}, own),
        ({**good, "token": "wrong"}, own),
        ({key: value for key, value in good.items() if key != "token"}, own),
        ({**good, "do": "perhaps"}, own),
        ({**good, "label": "x" * 81}, own),
        ({**good, "note": "x" * 4001}, own),
        ({**good, "label": " "}, own),
        ({**good, **{f"f{n}": "x" for n in range(10)}}, own),
    ]:
        assert httpx.post(f"{base}/{name}/annotation", data=form, headers=headers).status_code == 403, (form, headers)
        assert annotation(store, name) is None
    assert httpx.post(f"{base}/{name}/annotation", json=good, headers=own).status_code == 415
    assert httpx.post(f"{server.url}/view/wrong/t/{name}/annotation", data=good, headers=own).status_code == 401
    assert httpx.post(f"{base}/nobody/annotation", data=good, headers=own).status_code == 404


def test_what_is_too_long_is_said_on_the_page(server: Loopback, store: Store) -> None:
    name = ids(store)[0]
    url = f"{server.url}/view/{SETTINGS.page_key}/t/{name}"
    form = {"csrf": csrf(httpx.get(url).text), "token": TOKEN, "do": "save", "label": "x" * 81}
    answer = httpx.post(f"{url}/annotation", data=form, headers={"Origin": server.url})
    assert "the label has 81 characters: 80 are the most." in answer.text


def test_texts_are_escaped_wherever_they_stand(server: Loopback, store: Store) -> None:
    name = ids(store)[0]
    annotate(store, name, label=HOSTILE, note=HOSTILE)
    base = f"{server.url}/view/{SETTINGS.page_key}"
    run = str(store.tuples("SELECT id FROM runs")[0][0])
    for page in (httpx.get(f"{base}/t/{name}").text, httpx.get(f"{base}/run/{run}").text):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in page
        assert 'value=""><' not in page


def test_the_list_of_a_run_marks_what_has_one(server: Loopback, store: Store) -> None:
    name, other = ids(store)
    annotate(store, name, label="slip", note="a sign was lost")
    annotate(store, other, note="only a note")
    run = str(store.tuples("SELECT id FROM runs")[0][0])
    page = httpx.get(f"{server.url}/view/{SETTINGS.page_key}/run/{run}").text
    assert re.findall(r'class="badge noted" title="([^"]*)">([^<]*)<', page) == [("a sign was lost", "slip"), ("only a note", "note")]
    report, _ = render(store, run, limit=2)
    assert "a sign was lost" not in report, "a report is sent to others"


def test_pages_that_only_read_show_it_and_take_no_form(store: Store, tmp_path: Path) -> None:
    name = ids(store)[0]
    annotate(store, name, label="good")
    with (
        Store.read(tmp_path / "t.db") as readonly,
        Loopback(application(readonly, SETTINGS, pages=Viewer(readonly, SETTINGS).routes())) as server,
    ):
        url = f"{server.url}/view/{SETTINGS.page_key}/t/{name}"
        page = httpx.get(url).text
        assert "good" in page
        assert f"reasoner annotate {name}" in page
        assert "<form method" not in page
        answer = httpx.post(f"{url}/annotation", data={"do": "save", "label": "x"}, headers={"Origin": server.url})
        assert answer.status_code in {404, 405}


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")
def test_a_browser_sends_the_form_and_it_fits_a_telephone(server: Loopback, store: Store) -> None:
    from selenium.webdriver.support.expected_conditions import url_contains
    from selenium.webdriver.support.wait import WebDriverWait

    name = ids(store)[0]
    annotate(store, name, label="x" * 80, note="y" * 400)
    with open_browser() as browser:
        browser.set_window_size(390, 844)
        browser.get(f"{server.url}/view/{SETTINGS.page_key}/t/{name}")
        browser.find_element("css selector", ".annotation summary").click()
        wide = browser.execute_script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1]
        browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        axe = (Path(__file__).with_name("axe.min.js")).read_text(encoding="utf-8")
        found = browser.execute_async_script(axe + ";const done=arguments[0];axe.run('.annotation').then(done);")
        assert [one["id"] for one in found["violations"]] == []
        for field, text in (("label", "good"), ("note", "two\nlines"), ("token", TOKEN)):
            place = browser.find_element("css selector", f".annotation [name={field}]")
            place.clear()
            place.send_keys(text)
        browser.find_element("css selector", ".annotation [value=save]").click()
        # A click returns before the browser has followed the answer to the form.
        WebDriverWait(browser, 60).until(url_contains(f"/t/{name}#annotation"))
        assert "good" in browser.find_element("css selector", ".annotation .badge").text
    made = annotation(store, name)
    assert made is not None
    assert (made["label"], made["note"]) == ("good", "two\nlines")
