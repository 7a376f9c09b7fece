"""The pages: routes under a secret path, rendered on the server; they only read the store.

    Viewer(store, settings).routes()

Model text is hostile: every template is autoescaped, the script sets text only, and the guard's Content-Security-Policy allows nothing inline and
nothing from elsewhere. What pages show is read by the store's queries and drawn by `tree` and `drawings`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from reasoner.comparison.comparison import compare_trials
from reasoner.comparison.tables import tables
from reasoner.comparison.trials import read_trials
from reasoner.errors import BadConfig, UnknownName
from reasoner.serve import drawings
from reasoner.serve.tree import Box, Shape, card, layout
from reasoner.store import queries, run_queries
from reasoner.store.actions import SIGNS as ACTION_SIGNS
from reasoner.store.actions import actions_of
from reasoner.store.migrations.m050_totals import COLUMNS
from reasoner.store.queries import load_trajectory, trajectory_row
from reasoner.store.search import search
from reasoner.text import clean, shorten
from reasoner.types import SIGNS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from starlette.requests import Request

    from reasoner.comparison.comparison import Comparison
    from reasoner.serve.approvals import Approvals
    from reasoner.serve.settings import Settings
    from reasoner.serve.tree import Plan
    from reasoner.store import Store

PAGES = Path(__file__).with_name("pages")
STATIC = {"viewer.css": "text/css", "viewer.js": "text/javascript"}
PAGE = 50
"""Rows of one page."""
MAX_COMPARED = 5_000
"""Trajectories a comparison is computed for while a page waits."""
MAX_KEPT = 32
"""Comparisons that are kept for the next look; the one that was looked at longest ago goes first."""
CALL_FACTS = (
    "key", "state", "attempt", "template_hash", "seed", "sampling", "constraint_requested", "constraint_applied", "model", "finish_reason",
    "prompt_tokens", "completion_tokens", "cached_tokens", "seconds", "cost", "mean_logprob", "retries", "error", "reply",
    "reasoning", "reasoning_tokens", "usage_estimated", "tools",
)  # fmt: skip
MAX_DRAWN = 2_500
"""Thoughts that are drawn at once; a larger tree is drawn in parts, as they come into view."""
WINDOW = (6_000, 4_000)
"""The size of such a part, in the units of the drawing: 24 thoughts deep, 80 below each other."""
MAX_SHAPES = 8
MAX_ACTIONS = 500
"""Actions that the page of a trajectory lists."""
POLL_S = 0.4
LIVE_S = 3600.0


@cache
def environment() -> Environment:
    """Return the templates: autoescaped without exception, undefined names are errors."""
    env = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.filters["short"] = lambda text, n=80: shorten(clean(str(text or "")), n)
    env.filters["clean"] = lambda text: clean(str(text or ""))
    env.filters["many"] = lambda number: f"{number or 0:,}"
    env.filters["percent"] = lambda share: "–" if share is None else f"{100 * share:.1f} %"
    env.globals["signs"] = SIGNS
    return env


def verdict_word(row: dict[str, Any]) -> str:
    """Say how a trajectory stands: right, wrong, open, failed, or recorded where nothing was judged; `judged` before what a model says."""
    if row["status"] in {"open", "failed"}:
        return str(row["status"])
    word = "recorded" if row["correct"] is None else "right" if row["correct"] else "wrong"
    return f"judged {word}" if row.get("judged_by") and row["correct"] is not None else word


environment().globals["verdict_word"] = verdict_word
environment().globals["action_signs"] = ACTION_SIGNS


class Viewer:
    """The pages over one store."""

    def __init__(self, store: Store, settings: Settings, approvals: Approvals | None = None) -> None:
        """Make the pages; with `approvals` one may decide on actions there."""
        self._store = store
        self._approvals = approvals
        self._base = f"/view/{settings.page_key}"
        self._kept: dict[tuple[str, str, tuple[str, ...]], tuple[Any, Comparison | None]] = {}
        self._keeping = threading.Lock()

    def routes(self) -> list[Mount]:
        """Return the routes."""
        pages: list[tuple[str, Callable[[Request], Response]]] = [
            ("/", self.runs),
            ("/run/{run}", self.run),
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
        return [Mount(self._base, routes=routes)]

    def _page(self, name: str, /, *, code: int = 200, **values: Any) -> Response:
        return HTMLResponse(environment().get_template(name).render(base=self._base, **values), code)

    def _missing(self, what: str) -> Response:
        return self._page("missing.html", code=404, what=what)

    def runs(self, request: Request) -> Response:
        """Show the runs, with filters."""
        words, status, page = request.query_params.get("q", "")[:200], request.query_params.get("status", ""), _page_of(request)
        rows = run_queries.runs(self._store, words=words, status=status, limit=PAGE + 1, offset=page * PAGE)
        return self._page("runs.html", rows=rows[:PAGE], more=len(rows) > PAGE, words=words, status=status, page=page)

    def run(self, request: Request) -> Response:
        """Show a run: its comparison and its trajectories."""
        row = run_queries.run_row(self._store, request.path_params["run"])
        if row is None:
            return self._missing("run")
        chosen = {name: request.query_params.get(name, "")[:400] for name in ("strategy", "model", "solver", "verdict")}
        page = _page_of(request)
        rows = queries.trajectory_page(self._store, row["id"], chosen=chosen, limit=PAGE + 1, offset=page * PAGE)
        baseline = request.query_params.get("baseline", "")[:400]
        by = [column for column in request.query_params.get("by", "")[:200].split(",") if column.strip()][:4]
        made = self._compared(row, baseline=baseline, by=by)
        options = {"strategy": row["strategies"], "model": row["models"], "solver": row["solvers"]}
        return self._page(
            "run.html", run=row, rows=rows[:PAGE], more=len(rows) > PAGE, page=page, chosen=chosen, options=options, baseline=baseline, **compared(made)
        )  # fmt: skip

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

    def _trajectory(self, request: Request, *, problem: str = "", code: int = 200) -> Response:
        shown = trajectory_values(self._store, request.path_params["trajectory"], corner=_corner_of(request))
        if shown is None:
            return self._missing("trajectory")
        others = queries.same_problem(self._store, shown["row"]["problem_id"], but=shown["row"]["id"])
        forms = {}
        if self._approvals is not None:
            waits = [action["id"] for action in shown["actions"] if action["state"] == "waiting"]
            forms = {action_id: self._approvals.form_values(request, action_id) for action_id in waits}
        return self._page("trajectory.html", code=code, others=others, forms=forms, problem=problem, **shown)

    def window(self, request: Request) -> Response:
        """Return the cards and lines of one part of a large tree as JSON, for the part that comes into view."""
        plan = window(self._store, request.path_params["trajectory"], _corner_of(request))
        if plan is None:
            return JSONResponse({"error": "no such trajectory"}, 404)
        nodes = [
            {"id": n.id, "parent": n.parent, "status": n.status, "sign": n.sign, "first": n.first, "second": n.second, "x": n.x, "y": n.y}
            for n in plan.nodes
        ]
        edges = [{"child": edge.child, "status": edge.status, "path": edge.path} for edge in plan.edges]
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
        """Show two trajectories side by side."""
        sides = [trajectory_values(self._store, request.query_params.get(name, "")) for name in ("a", "b")]
        if None in sides:
            return self._missing("trajectory")
        return self._page("pair.html", sides=sides)

    def search(self, request: Request) -> Response:
        """Search all messages."""
        words = request.query_params.get("q", "")[:400]
        return self._page("search.html", words=words, hits=search(self._store, words))

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
    first, second = card(
        role=row["role"], label=row["label"], operation=row["operation"], state=state, score=row["score"], text=row["text"] or ""
    )
    return {
        "id": row["id"], "parent": row["parent"] or "", "status": row["status"], "sign": SIGNS[row["status"]], "first": first, "second": second,
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
    charts = [(solver, drawings.chart([row for row in made.rows if row.solver == solver])) for solver in made.solvers]
    return {"made": made, "tables": tables(made), "charts": [(solver, chart) for solver, chart in charts if chart]}


def thought_facts(store: Store, trajectory_id: str, thought_id: str) -> dict[str, Any] | None:
    """Return what is shown of a thought and of the call it came from (prompt, reply, tokens, constraint, key); None when it is not there."""
    row = queries.thought_row(store, trajectory_id, thought_id)
    if row is None:
        return None
    call = queries.call_row(store, row["call_id"])
    facts = {
        "id": row["id"], "role": row["role"], "label": row["label"], "operation": row["operation"], "status": row["status"],
        "score": row["score"], "depth": row["depth"], "text": row["content"] or "", "own_reply": row["text"] is None and call is not None,
        "state": "" if row["state"] is None else json.dumps(json.loads(row["state"]), indent=2, ensure_ascii=False),
        "call": None,
    }  # fmt: skip
    if call is not None:
        facts["call"] = {name: call[name] for name in CALL_FACTS}
        # Shown only where they say something: most calls have neither.
        facts["call"] |= {name: call[name] or None for name in ("reasoning_tokens", "usage_estimated")}
        facts["call"]["tool_calls"] = json.loads(call["parts"] or "{}").get("tool_calls", [])
        facts["call"]["messages"] = [
            {"role": m.role, "content": m.content, "reasoning": "", "tool_calls": []} | m.parts()
            for m in queries.prompt_of(store, call["context_id"])
        ]
    return facts


def trajectory_values(store: Store, trajectory_id: str, *, corner: tuple[int, int] | None = None) -> dict[str, Any] | None:
    """Return what a trajectory's page shows, None when it is not there. Of a large tree it is the part at a corner, at first at its root."""
    row = trajectory_row(store, trajectory_id)
    if row is None:
        return None
    actions = actions_of(store, trajectory_id, limit=MAX_ACTIONS)
    if queries.n_thoughts(store, trajectory_id) > MAX_DRAWN:
        plan = window(store, trajectory_id, corner)
        return {"row": row, "actions": actions, "plan": plan, "drawing": drawings.drawing(row), "dialogue": [], "fragments": None}
    try:
        dag = load_trajectory(store, trajectory_id)
    except UnknownName:  # opened, but no thought is committed yet
        return {"row": row, "actions": actions, "plan": None, "drawing": None, "dialogue": [], "fragments": None}
    return {
        "row": row,
        "actions": actions,
        "plan": layout(dag),
        "drawing": drawings.drawing(row),
        "dialogue": drawings.dialogue(dag),
        "fragments": drawings.fragments(row, dag),
    }


def window(store: Store, trajectory_id: str, corner: tuple[int, int] | None) -> Plan | None:
    """Return the part of a tree at a corner, at its root without one; None where the trajectory is not there."""
    shape = _shape(store, trajectory_id)
    if shape is None:
        return None
    x, y = corner if corner is not None else (0, shape.root_y)
    # Parts lie on a grid, so that the same one is asked for once and none overlaps another.
    box = Box(x // WINDOW[0] * WINDOW[0], y // WINDOW[1] * WINDOW[1], *WINDOW)
    return shape.plan(box, queries.thoughts_of(store, shape.inside(box, most=MAX_DRAWN)))


_SHAPES: OrderedDict[tuple[str, str], Shape] = OrderedDict()
"""Shapes of trajectories that are closed, by file and id: they no longer change, and moving over a tree asks for each again and again."""


def _shape(store: Store, trajectory_id: str) -> Shape | None:
    key = (str(store.path.absolute()), trajectory_id)
    if (known := _SHAPES.get(key)) is not None:
        return known
    row = trajectory_row(store, trajectory_id)
    places = queries.skeleton(store, trajectory_id) if row is not None else []
    if row is None or not places:
        return None
    shape = Shape(places)
    if row["status"] == "closed":
        _SHAPES[key] = shape
        while len(_SHAPES) > MAX_SHAPES:
            _SHAPES.popitem(last=False)
    return shape


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
