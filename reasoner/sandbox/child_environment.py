"""What a process that we start gets of our environment: a list of names, and nothing that is not on it.

Keys, proxies with passwords and addresses of databases stand in variables of any name, so leaving out those that look like one is not enough.

    child_environment(GGML_NO_BACKTRACE="1") -> {..., "GGML_NO_BACKTRACE": "1"}

Knows names of variables; does not know what a process does with them.
"""

from __future__ import annotations

import os

_LISTED = {
    "where programs, libraries and files are": "PATH HOME USER LOGNAME SHELL TMPDIR TEMP TMP XDG_CACHE_HOME XDG_RUNTIME_DIR LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH "
    "DYLD_FALLBACK_LIBRARY_PATH VIRTUAL_ENV CONDA_PREFIX SYSTEMROOT",
    "language, time, terminal": "LANG LANGUAGE LC_ALL LC_CTYPE LC_COLLATE LC_MESSAGES LC_NUMERIC LC_TIME TZ TERM",
    "the interpreter": "PYTHONPATH PYTHONHOME PYTHONHASHSEED PYTHONUTF8 PYTHONIOENCODING PYTHONMALLOC PYTHONFAULTHANDLER PYTHONDONTWRITEBYTECODE "
    "PYTHONPYCACHEPREFIX PYTHONNOUSERSITE PYTHONUSERBASE",
    "threads and memory": "OMP_NUM_THREADS OMP_PROC_BIND OMP_PLACES OMP_WAIT_POLICY OMP_DYNAMIC OMP_STACKSIZE GOMP_CPU_AFFINITY GOMP_SPINCOUNT "
    "KMP_AFFINITY KMP_BLOCKTIME OPENBLAS_NUM_THREADS MKL_NUM_THREADS VECLIB_MAXIMUM_THREADS MALLOC_ARENA_MAX",
    "graphics processors": "CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_HOME CUDA_PATH CUDA_CACHE_PATH NVIDIA_VISIBLE_DEVICES HIP_VISIBLE_DEVICES "
    "ROCR_VISIBLE_DEVICES HSA_OVERRIDE_GFX_VERSION GGML_VK_VISIBLE_DEVICES ONEAPI_DEVICE_SELECTOR ZES_ENABLE_SYSMAN "
    "GGML_CUDA_ENABLE_UNIFIED_MEMORY",
}
NAMES = frozenset(name for names in _LISTED.values() for name in names.split())
"""The variables that are passed on. Each is a place, a language, a switch or a number; none is known to hold a secret."""


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment of a process we start: what is listed of ours, and `more`."""
    return {name: value for name, value in os.environ.items() if name in NAMES} | more
