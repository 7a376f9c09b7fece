"""The page of a run's translations and the form under each: worst first, whose form it has to be, what it may hold, and that texts are escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from loopback import TOKEN, Loopback

import reasoner
from reasoner.serve.app import application
from reasoner.serve.approvals import Approvals
from reasoner.serve.settings import Settings
from reasoner.serve.viewer import Viewer
from reasoner.store import Store
from reasoner.store.edits import MAX_EDIT_CHARS, edit, put_edit

SETTINGS = Settings(TOKEN)
HOSTILE = '"><script>alert(1)</script>{{ 7 * 7 }}'
SENTENCES = ["The river sleeps.", "The old woman xyzzy the river."]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    reasoner.translate(SENTENCES, source="English", target="Selvan", model="teacher", db=tmp_path / "t.db")
    with Store.open(tmp_path / "t.db") as opened:
        yield opened


@pytest.fixture
def server(store: Store) -> Iterator[Loopback]:
    approvals = Approvals(store, SETTINGS)
    with Loopback(application(store, SETTINGS, pages=Viewer(store, SETTINGS, approvals).routes(), approvals=approvals)) as running:
        yield running


def run_of(store: Store) -> str:
    return str(store.tuples("SELECT id FROM runs")[0][0])


def csrf(page: str, name: str) -> str:
    found = re.search(rf'/t/{name}/edit"><input type="hidden" name="csrf" value="(\w+)"', page)
    assert found is not None
    return found[1]


def ids(page: str) -> list[str]:
    return re.findall(r'<section class="annotation" id="(\w+)"', page)


def test_a_person_edits_confirms_and_takes_back(server: Loopback, store: Store) -> None:
    base = f"{server.url}/view/{SETTINGS.page_key}"
    run = run_of(store)
    assert f"/run/{run}/review" in httpx.get(f"{base}/run/{run}").text
    page = httpx.get(f"{base}/run/{run}/review").text
    worst, other = ids(page)
    assert page.index("xyzzy the river") < page.index("The river sleeps"), "the sentence with an unknown word comes first"
    form = {"csrf": csrf(page, worst), "token": TOKEN, "do": "save", "edited": " L  cian\r\ncor. ", "run": run, "page": "0"}
    taken = httpx.post(f"{base}/t/{worst}/edit", data=form, headers={"Origin": server.url})
    assert taken.status_code == 303
    assert taken.headers["location"].endswith(f"/run/{run}/review?page=0#{worst}")
    assert edit(store, worst) == "L cian cor."
    known = {"Origin": server.url, "Cookie": taken.headers["set-cookie"].partition(";")[0]}
    page = httpx.get(f"{base}/run/{run}/review", headers=known).text
    assert 'name="token"' not in page
    assert re.search(r"<textarea[^>]*>\nL cian cor.</textarea>", page)
    machine = re.search(r'name="machine" value="(Meris tudasas\.)"', page)
    assert machine is not None
    right = {"csrf": csrf(page, other), "do": "right", "machine": machine[1], "edited": "something else", "run": run}
    assert httpx.post(f"{base}/t/{other}/edit", data=right, headers=known).status_code == 303
    assert edit(store, other) == "Meris tudasas."
    assert "right as it is" in httpx.get(f"{base}/run/{run}/review").text
    assert httpx.post(f"{base}/t/{worst}/edit", data={"csrf": csrf(page, worst), "do": "remove"}, headers=known).status_code == 303
    assert edit(store, worst) is None


def test_the_form_of_anybody_else_is_refused(server: Loopback, store: Store) -> None:
    base, run = f"{server.url}/view/{SETTINGS.page_key}", run_of(store)
    page = httpx.get(f"{base}/run/{run}/review").text
    one, other = ids(page)
    form = {"csrf": csrf(page, one), "token": TOKEN, "do": "save", "edited": "a", "run": run}
    for given, headers in (
        (form, {"Origin": "https://elsewhere.example"}),
        (form, {}),
        ({**form, "token": "wrong"}, {"Origin": server.url}),
        ({**form, "csrf": csrf(page, other)}, {"Origin": server.url}),
    ):
        assert httpx.post(f"{base}/t/{one}/edit", data=given, headers=headers).status_code == 403
    assert edit(store, one) is None
    assert httpx.post(f"{base}/t/nobody/edit", data=form, headers={"Origin": server.url}).status_code == 404


def test_what_cannot_be_an_edit_is_said_on_the_page(server: Loopback, store: Store) -> None:
    base, run = f"{server.url}/view/{SETTINGS.page_key}", run_of(store)
    page = httpx.get(f"{base}/run/{run}/review").text
    one = ids(page)[0]
    for edited, what, said in (
        ("x" * (MAX_EDIT_CHARS + 1), "save", "40,001 characters"),
        (" \u202e ", "save", "an edit has a text"),
        ("a", "burn", "Choose one of the three"),
    ):
        form = {"csrf": csrf(page, one), "token": TOKEN, "do": what, "edited": edited, "run": run}
        answer = httpx.post(f"{base}/t/{one}/edit", data=form, headers={"Origin": server.url})
        assert answer.status_code == 403
        assert said in answer.text
    assert edit(store, one) is None


def test_a_form_leads_nowhere_else(server: Loopback, store: Store) -> None:
    base, run = f"{server.url}/view/{SETTINGS.page_key}", run_of(store)
    page = httpx.get(f"{base}/run/{run}/review").text
    one = ids(page)[0]
    form = {"csrf": csrf(page, one), "token": TOKEN, "do": "save", "edited": "a", "run": "//elsewhere.example/x"}
    taken = httpx.post(f"{base}/t/{one}/edit", data=form, headers={"Origin": server.url})
    assert taken.headers["location"] == f"/view/{SETTINGS.page_key}/"


def test_texts_are_escaped_and_pages_that_only_read_take_no_form(server: Loopback, store: Store) -> None:
    run = run_of(store)
    (name,) = store.tuples("SELECT id FROM trajectories LIMIT 1")[0]
    put_edit(store, name, HOSTILE)
    page = httpx.get(f"{server.url}/view/{SETTINGS.page_key}/run/{run}/review").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    with Loopback(application(store, SETTINGS, pages=Viewer(store, SETTINGS).routes())) as reading:
        page = httpx.get(f"{reading.url}/view/{SETTINGS.page_key}/run/{run}/review").text
        assert "<form method" not in page
        assert "reasoner review" in page
        refused = httpx.post(f"{reading.url}/view/{SETTINGS.page_key}/t/{name}/edit", data={"do": "save"}, headers={"Origin": reading.url})
        assert refused.status_code in {404, 405}


def test_a_run_without_translations_has_no_such_page(store: Store, server: Loopback, tmp_path: Path) -> None:
    reasoner.bench("game24", strategy="cot", model="teacher", n=1, db=tmp_path / "t.db")
    (run,) = store.tuples("SELECT id FROM runs ORDER BY rowid DESC LIMIT 1")[0]
    base = f"{server.url}/view/{SETTINGS.page_key}/run"
    assert [httpx.get(f"{base}/{name}/review").status_code for name in (run, "nobody")] == [404, 404]
    assert "/review" not in httpx.get(f"{base}/{run}").text
