"""A Ray of this machine's own: its ports are bound to loopback, and open to those who have its token.

By Ray's defaults they listen on all interfaces, and whoever reaches them runs code here. It has no dashboard, and so it
collects none of what only a dashboard shows.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOOPBACK_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's switch for machines that no other one joins: with 0, a node's address is 127.0.0.1, and so is that of all its
ports. It is the default on macOS and Windows and works on Linux as well."""

WITHOUT_DASHBOARD = {"REPORTER_UPDATE_INTERVAL_MS": "60000", "RAY_task_events_report_interval_ms": "0"}
"""How often a node's agent looks at each of its processes, by default every 5 s; and no history of tasks. Metrics are
exported as ever."""

TOKEN_FILE = Path("~/.ray/auth_token")
"""Where Ray, and the tools that come with it, look for the token of this user."""


def finds_no_cluster(address: str | None) -> bool:
    """Whether `ray.init(address)` starts a Ray: none is named, here or in the environment, or was begun by `ray start`.

    Args:
        address: None, `local`, `auto`, or that of a cluster.
    """
    if address is not None:
        return address == "local"
    folder = os.environ.get("RAY_TMPDIR", os.environ.get("TMPDIR", "/tmp"))
    return not os.environ.get("RAY_ADDRESS") and not Path(folder, "ray", "ray_current_cluster").exists()


@contextmanager
def kept_to_this_machine() -> Iterator[None]:
    """A Ray that is started inside listens on loopback only and wants a token, unless the environment says otherwise.

    The token is that of this user, as Ray's own tools find it, or one of this process where there is no home for it.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ["RAY_AUTH_MODE"] == "token" and not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        try:
            _keep_token(TOKEN_FILE.expanduser())
        except (OSError, RuntimeError):  # RuntimeError: there is no home
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    for name, value in WITHOUT_DASHBOARD.items():
        os.environ.setdefault(name, value)
    was_set = LOOPBACK_VARIABLE in os.environ
    os.environ.setdefault(LOOPBACK_VARIABLE, "0")
    try:
        _heed_variables()
        yield
    finally:
        if not was_set:
            del os.environ[LOOPBACK_VARIABLE]
            _heed_variables()


def _heed_variables() -> None:
    """Ray reads its variables when it is loaded, which it may have been."""
    from ray._private import ray_constants
    from ray._raylet import Config  # type: ignore[attr-defined]

    Config.initialize("")  # as `ray.init` does where it chooses the mode
    is_cluster = ray_constants.env_bool(LOOPBACK_VARIABLE, not ray_constants.IS_WINDOWS_OR_OSX)
    ray_constants.ENABLE_RAY_CLUSTER = is_cluster


def _keep_token(file: Path) -> None:
    """Have a token in `file`, which only this user may read.

    Raises:
        OSError: it cannot be written.
    """
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix="auth_token-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(32))
        with suppress(FileExistsError):  # another process has written one meanwhile
            os.link(partial, file)
    finally:
        os.unlink(partial)
