"""The pages: routes under a secret path, rendered on the server; they only read the store, but for the two forms of a trajectory's page and that of a translation.

    Viewer(store, settings).routes()

Model text is hostile: every template is autoescaped, the script sets text only, and the guard's Content-Security-Policy allows nothing inline and
nothing from elsewhere. What pages show is read by the store's queries and drawn by `tree` and `drawings`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from reasoner.comparison.comparison import compare_trials
from reasoner.comparison.tables import tables
from reasoner.comparison.trials import read_trials
from reasoner.errors import BadConfig, UnknownName
from reasoner.serve import annotating, drawings, reviewing
from reasoner.serve.course import timeline_values, transcript_values
from reasoner.serve.run_page import collapsed, group_columns, mistakes, shown_columns
from reasoner.serve.templating import PAGES, environment
from reasoner.serve.thought_facts import thought_facts
from reasoner.serve.trajectory_page import aligned, short_answer, trajectory_values, window
from reasoner.serve.tree import card
from reasoner.store import queries, run_queries
from reasoner.store.migrations.m050_totals import COLUMNS
from reasoner.store.search import MAX_COUNTED, n_hits, search
from reasoner.types import SIGNS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from starlette.requests import Request

    from reasoner.comparison.comparison import Comparison
    from reasoner.serve.approvals import Approvals
    from reasoner.serve.settings import Settings
    from reasoner.store import Store

STATIC = {"viewer.css": "text/css", "viewer.js": "text/javascript"}
PAGE = 50
"""Rows of one page."""
MAX_COMPARED = 5_000
"""Trajectories a comparison is computed for while a page waits."""
MAX_KEPT = 32
"""Comparisons that are kept for the next look; the one that was looked at longest ago goes first."""
COURSES: Mapping[str, Callable[..., dict[str, Any]]] = {"timeline": timeline_values, "transcript": transcript_values}
"""What can be seen of a trajectory in place of its tree."""
POLL_S = 0.4
LIVE_S = 3600.0


class Viewer:
    """The pages over one store."""

    def __init__(self, store: Store, settings: Settings, approvals: Approvals | None = None) -> None:
        """Make the pages; with `approvals` one may decide on actions and annotate trajectories there."""
        self._store = store
        self._approvals = approvals
        self._base = f"/view/{settings.page_key}"
        self._kept: dict[tuple[str, str, tuple[str, ...]], tuple[Any, Comparison | None]] = {}
        self._keeping = threading.Lock()

    def routes(self) -> list[Mount]:
        """Return the routes."""
        pages: list[tuple[str, Callable[[Request], Response]]] = [
            ("/", self.runs),
            ("/requests", self.requests),
            ("/run/{run}", self.run),
            ("/run/{run}/progress", self.progress),
            ("/run/{run}/review", self.review),
            ("/t/{trajectory}", self.trajectory),
            ("/t/{trajectory}/window", self.window),
            ("/t/{trajectory}/thought/{thought}", self.thought),
            ("/t/{trajectory}/thought/{thought}/facts", self.facts),
            ("/pair", self.pair),
            ("/search", self.search),
        ]
        routes = [Route(path, _threaded(page), methods=["GET"]) for path, page in pages]
        routes += [Route("/t/{trajectory}/events", self.events, methods=["GET"]), Route("/static/{name}", _static, methods=["GET"])]
        if self._approvals is not None:
            routes.append(Route("/t/{trajectory}/actions/{action}", self.decide, methods=["POST"]))
            routes.append(Route("/t/{trajectory}/annotation", self.annotate, methods=["POST"]))
            routes.append(Route("/t/{trajectory}/edit", self.edit, methods=["POST"]))
        return [Mount(self._base, routes=routes)]

    def _page(self, name: str, /, *, code: int = 200, **values: Any) -> Response:
        return HTMLResponse(environment().get_template(name).render(base=self._base, **values), code)

    def _missing(self, what: str) -> Response:
        return self._page("missing.html", code=404, what=what)

    def runs(self, request: Request) -> Response:
        """Show the runs, with filters."""
        words, status, page = request.query_params.get("q", "")[:200], request.query_params.get("status", ""), _page_of(request)
        rows = run_queries.runs(self._store, words=words, status=status, limit=PAGE, offset=page * PAGE)
        used = run_queries.spent(self._store, [row["id"] for row in rows if row["trajectories"] <= MAX_COMPARED])
        asked = run_queries.asked_of(self._store, [row["id"] for row in rows])
        shown = [row | used.get(row["id"], {"seconds": None, "cost": None}) | {"asked": asked.get(row["id"])} for row in rows]
        n = run_queries.n_runs(self._store, words=words, status=status)
        return self._page("runs.html", rows=shown, n=n, per_page=PAGE, words=words, status=status, page=page)

    def requests(self, request: Request) -> Response:
        """Show what was asked with `ask` and of this server: question, answer, seconds."""
        words, page = request.query_params.get("q", "")[:200], _page_of(request)
        rows = run_queries.requests(self._store, words=words, limit=PAGE, offset=page * PAGE)
        n = run_queries.n_requests(self._store, words=words)
        return self._page("requests.html", asked_by=run_queries.asked_by, rows=rows, n=n, per_page=PAGE, words=words, page=page)

    def run(self, request: Request) -> Response:
        """Show a run: its key figures, its comparison, what went wrong and its trajectories."""
        row = run_queries.run_row(self._store, request.path_params["run"])
        if row is None:
            return self._missing("run")
        chosen = {name: request.query_params.get(name, "")[:400] for name in ("strategy", "model", "solver", "verdict")}
        page = _page_of(request)
        rows = queries.trajectory_page(self._store, row["id"], chosen=chosen, limit=PAGE, offset=page * PAGE)
        baseline = request.query_params.get("baseline", "")[:400]
        by = [column for column in request.query_params.get("by", "")[:200].split(",") if column.strip()][:4]
        options = {"strategy": row["strategies"], "model": row["models"], "solver": row["solvers"]}
        used = run_queries.spent(self._store, [row["id"]]).get(row["id"], {"seconds": 0.0, "cost": None})
        return self._page(
            "run.html", run=row | used, rows=[each | {"short": short_answer(each)} for each in rows], page=page, per_page=PAGE, chosen=chosen,
            n=self._n_chosen(row, chosen, page * PAGE, len(rows)), options=options, baseline=baseline, by=",".join(by),
            columns=shown_columns(rows, options), groups=group_columns(self._store, row["id"]), mistakes=mistakes(self._store, row["id"]),
            inside=run_queries.inside_thought(self._store, row["id"]) if row["judged"] <= MAX_COMPARED else (),
            too_large=row["judged"] > MAX_COMPARED, **compared(self._compared(row, baseline=baseline, by=by)),
        )  # fmt: skip

    def _n_chosen(self, row: dict[str, Any], chosen: Mapping[str, str], before: int, shown: int) -> int:
        """Return how many trajectories of a run fit, without counting them where the page or the run's totals tell it."""
        if shown < PAGE and (shown or not before):
            return before + shown
        named = {name: value for name, value in chosen.items() if value}
        if not named:
            return int(row["trajectories"])
        if named in ({"verdict": "right"}, {"verdict": "wrong"}) and row["judged"] == row["trajectories"]:
            return int(row["correct"] if named["verdict"] == "right" else row["judged"] - row["correct"])
        return queries.n_trajectories(self._store, row["id"], chosen=chosen)

    def progress(self, request: Request) -> Response:
        """Return how far a run has come as JSON, for its page."""
        row = run_queries.run_row(self._store, request.path_params["run"])
        if row is None:
            return JSONResponse({"error": "no such run"}, 404)
        tokens = row["prompt_tokens"] + row["completion_tokens"]
        done = row["trajectories"] - row["open"]
        return JSONResponse(
            {"status": row["status"], "done": done, "trajectories": row["trajectories"], "calls": row["calls"], "tokens": tokens}
        )

    def _compared(self, row: dict[str, Any], *, baseline: str, by: Sequence[str]) -> Comparison | None:
        """Compare a run, once for as long as nothing of it changes: some thousand answers take longer than a page may."""
        if row["judged"] > MAX_COMPARED:
            return None
        state = queries.verdict_state(self._store, row["id"])
        totals = tuple(row[name] for name in COLUMNS)
        key = (row["id"], baseline, tuple(by))
        with self._keeping:
            found = self._kept.pop(key, None)
        if found is None or found[0] != (state, totals):
            found = (state, totals), comparison(self._store, row["id"], row["judged"], baseline=baseline, by=by)
        with self._keeping:
            self._kept[key] = found
            while len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]
        return found[1]

    def trajectory(self, request: Request) -> Response:
        """Show a trajectory as a tree, with what else can be drawn of it."""
        return self._trajectory(request)

    async def decide(self, request: Request) -> Response:
        """Take the decision on an action that waits, and show how its trajectory stands."""
        if self._approvals is None:
            return self._missing("form")
        return await self._approvals.form(request, lambda problem: self._trajectory(request, problem=problem, code=403))

    async def annotate(self, request: Request) -> Response:
        """Take a person's label and note on a trajectory, and show them."""
        if self._approvals is None:
            return self._missing("form")
        name = request.path_params["trajectory"]
        return await annotating.take(
            self._store, self._approvals.forms, request, name, place=f"{self._base}/t/{name}#annotation",
            refused=lambda problem: self._trajectory(request, problem=problem, code=403),
        )  # fmt: skip

    def review(self, request: Request) -> Response:
        """Show the translations of a run, worst first."""
        return self._review(request, request.path_params["run"])

    async def edit(self, request: Request) -> Response:
        """Take a person's edit of a translation, and show the translations again."""
        name = request.path_params["trajectory"]
        run = await run_in_threadpool(run_queries.run_of_trajectory, self._store, name)
        if self._approvals is None or run is None:
            return self._missing("form")
        return await reviewing.take(
            self._store, self._approvals.forms, request, name, base=self._base,
            refused=lambda problem: self._review(request, run, problem=problem, code=403),
        )  # fmt: skip

    def _review(self, request: Request, run: str, *, problem: str = "", code: int = 200) -> Response:
        forms = self._approvals.forms if self._approvals else None
        try:
            values = reviewing.page_values(self._store, forms, request, run, page=_page_of(request), per_page=PAGE)
        except (BadConfig, UnknownName):
            return self._missing("translation")
        return self._page("review.html", code=code, problem=problem, **values)

    def _trajectory(self, request: Request, *, problem: str = "", code: int = 200) -> Response:
        name, view = request.path_params["trajectory"], request.query_params.get("view", "")
        shown = trajectory_values(self._store, name, corner=_corner_of(request), tree=view not in COURSES)
        if shown is None:
            return self._missing("trajectory")
        course = COURSES[view](self._store, name, page=_page_of(request)) if view in COURSES else None
        best = shown["plan"].best[-1:] if shown["plan"] else ()
        facts = thought_facts(self._store, name, best[0]) if best else None
        others = [
            other | {"short": short_answer(other)}
            for other in queries.same_problem(self._store, shown["row"]["problem_id"], but=shown["row"]["id"])
        ]
        forms, annotates = {}, None
        if self._approvals is not None:
            waits = [action["id"] for action in shown["actions"] if action["state"] == "waiting"]
            forms = {action_id: self._approvals.form_values(request, action_id) for action_id in waits}
            annotates = annotating.form_values(self._store, self._approvals.forms, request, name)
        return self._page(
            "trajectory.html", code=code, others=others, forms=forms, annotates=annotates, problem=problem, view=view if course else "tree", course=course,
            facts=facts, **shown,
        )  # fmt: skip

    def window(self, request: Request) -> Response:
        """Return the cards and lines of one part of a large tree as JSON, for the part that comes into view."""
        plan = window(self._store, request.path_params["trajectory"], _corner_of(request))
        if plan is None:
            return JSONResponse({"error": "no such trajectory"}, 404)
        nodes = [
            {"id": n.id, "parent": n.parent, "status": n.status, "sign": n.sign, "first": n.first, "second": n.second, "third": n.third,
             "x": n.x, "y": n.y, "best": n.best}
            for n in plan.nodes
        ]  # fmt: skip
        edges = [{"child": edge.child, "status": edge.status, "path": edge.path, "best": edge.best} for edge in plan.edges]
        return JSONResponse({"nodes": nodes, "edges": edges})

    def thought(self, request: Request) -> Response:
        """Show one thought on a page of its own, for readers without script."""
        facts = thought_facts(self._store, request.path_params["trajectory"], request.path_params["thought"])
        if facts is None:
            return self._missing("thought")
        return self._page("thought.html", facts=facts, trajectory=request.path_params["trajectory"])

    def facts(self, request: Request) -> Response:
        """Return one thought as JSON, for the panel beside the tree."""
        facts = thought_facts(self._store, request.path_params["trajectory"], request.path_params["thought"])
        return JSONResponse(facts or {"error": "no such thought"}, 200 if facts else 404)

    def pair(self, request: Request) -> Response:
        """Show two trajectories side by side: their answers, where they first differ, and their trees."""
        one, other = (trajectory_values(self._store, request.query_params.get(name, "")) for name in ("a", "b"))
        if one is None or other is None:
            return self._missing("trajectory")
        return self._page("pair.html", sides=[one, other], steps=aligned(one["path"], other["path"]))

    def search(self, request: Request) -> Response:
        """Search all messages."""
        words, page = request.query_params.get("q", "")[:400], _page_of(request)
        hits = search(self._store, words, limit=PAGE, offset=page * PAGE)
        return self._page("search.html", words=words, hits=hits, n=n_hits(self._store, words), most=MAX_COUNTED, page=page, per_page=PAGE)

    async def events(self, request: Request) -> Response:
        """Send a growing trajectory as server-sent events: what is new, and whose status has changed, until it is closed."""
        trajectory = request.path_params["trajectory"]

        async def grow() -> AsyncIterator[str]:
            known: dict[str, tuple[str, float | None]] = {}
            loop = asyncio.get_running_loop()
            end = loop.time() + LIVE_S
            while loop.time() < end:
                status, rows = await run_in_threadpool(queries.growth, self._store, trajectory)
                news = [_grown(row) for row in rows if known.get(row["id"]) != (row["status"], row["score"])]
                known = {row["id"]: (row["status"], row["score"]) for row in rows}
                if news:
                    yield f"data: {json.dumps(news, ensure_ascii=True)}\n\n"
                if status != "open":
                    yield f"event: closed\ndata: {json.dumps(status)}\n\n"
                    return
                await asyncio.sleep(POLL_S)

        return StreamingResponse(grow(), media_type="text/event-stream")


def _grown(row: dict[str, Any]) -> dict[str, Any]:
    state = None if row["state"] is None else json.loads(row["state"])
    first, second, third = card(
        role=row["role"], label=row["label"], operation=row["operation"], state=state, score=row["score"], text=row["text"] or ""
    )
    return {
        "id": row["id"], "parent": row["parent"] or "", "status": row["status"], "sign": SIGNS[row["status"]], "first": first, "second": second,
        "third": third,
    }  # fmt: skip


def comparison(store: Store, run_id: str, n_judged: int, *, baseline: str = "", by: Sequence[str] = ()) -> Comparison | None:
    """Compare a run, also by columns of its problems; None where nothing was judged, it is too large for a page, or cannot be compared yet.

    `n_judged` are exact verdicts; those of models are counted here where there are no others.
    """
    if not 0 < (n_judged or queries.n_judged_by_models(store, run_id)) <= MAX_COMPARED:
        return None
    trials = read_trials(store, run_id)
    if not trials.trials:
        return None
    try:
        return compare_trials(trials, baseline=baseline or None, by=by)
    except BadConfig:
        return compare_trials(trials, by=by)


def compared(made: Comparison | None) -> dict[str, Any]:
    """Return what the comparison's part of a page needs."""
    if made is None:
        return {"made": None, "tables": [], "charts": []}
    # The whole first: of several families, that is the one chart that is not folded.
    scopes: list[str | None] = [None, *made.solvers] if len(made.solvers) > 1 else list(made.solvers)
    charts = [(scope or "all problems", drawings.chart([row for row in made.rows if row.solver == scope])) for scope in scopes]
    return {
        "made": made,
        "tables": [collapsed(table) for table in tables(made)],
        "charts": [(name, chart) for name, chart in charts if chart],
    }


def _threaded(page: Callable[[Request], Response]) -> Any:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(page, request)

    return endpoint


def _page_of(request: Request) -> int:
    text = request.query_params.get("page", "0")
    return int(text) if text.isdecimal() and len(text) < 8 else 0


def _corner_of(request: Request) -> tuple[int, int] | None:
    """Return the corner a page is asked to show, None where it is not asked, or not in numbers."""
    values = [request.query_params.get(name, "") for name in ("x", "y")]
    if all(value.lstrip("-").isdecimal() and len(value) < 10 for value in values):
        return int(values[0]), int(values[1])
    return None


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        return Response(status_code=404)
    return Response((PAGES / name).read_bytes(), media_type=STATIC[name])
