"""The environment of a sandbox: what the parsers need, and nothing else.

A document that takes over a parser finds no AWS credentials, API keys or tokens there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

NAMES = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD"),
        *("TESSDATA_PREFIX", "FONTCONFIG_FILE", "FONTCONFIG_PATH", "XDG_CACHE_HOME", "XDG_DATA_DIRS"),
        *("VIRTUAL_ENV", "PYTHONHOME", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS", "PYTHONUTF8"),
        *("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
    }
)
"""Variables that a sandbox inherits."""

PREFIXES = ("LC_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "MALLOC_", "COVERAGE_")
"""Of further ones: the locale, threads of numerical libraries, the allocator, and measuring of test coverage."""

SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
"""Parts of names that are never inherited."""

ARROW_POOL = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Arrow's other memory pools reserve memory in advance, which would count against the page."""

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(32 << 20)}
"""glibc keeps up to 32 MiB that a page has freed for the next one. By its defaults it gives the pictures of each page
back to the system and asks for them anew: 1,000 page faults, a third of the CPU time of reading a page with a text
layer."""


def sandbox_environment(environment: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """The environment of a sandbox.

    Args:
        environment: of the process that starts it; its settings of the allocator count.
        scratch: folder for its temporary files.
    """
    inherited = {name: value for name, value in environment.items() if _is_inherited(name)}
    path = os.pathsep.join(path for path in sys.path if path)
    return {**ALLOCATOR, **inherited, **ARROW_POOL, "PYTHONPATH": path, "TMPDIR": str(scratch)}


def _is_inherited(name: str) -> bool:
    return (name in NAMES or name.startswith(PREFIXES)) and not any(word in name for word in SECRETS)
