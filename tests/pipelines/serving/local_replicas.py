"""Deployment handles without Ray Serve: calls run as tasks of this event loop, on one object a deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any


class LocalResponse:
    """A call in progress; it can be awaited, cancelled, and passed to another call."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task

    def __await__(self) -> Generator[Any, None, Any]:
        return self.task.__await__()

    def cancel(self) -> None:
        self.task.cancel()


class LocalBroadcast:
    """A call to every replica of a deployment, of which there is one."""

    def __init__(self, response: LocalResponse) -> None:
        self._response = response

    async def results_async(self, timeout_s: float | None = None, return_exceptions: bool = False) -> list[Any]:
        return await asyncio.wait_for(
            asyncio.gather(self._response.task, return_exceptions=return_exceptions), timeout_s
        )


class LocalMethod:
    def __init__(self, method: Any) -> None:
        self._method = method

    def remote(self, *arguments: Any) -> LocalResponse:
        async def call() -> Any:
            resolved = [await one if isinstance(one, LocalResponse) else one for one in arguments]
            return await self._method(*resolved)

        return LocalResponse(asyncio.get_running_loop().create_task(call()))


class LocalHandle:
    """A handle of a deployment whose only replica is `replica`."""

    def __init__(self, replica: Any) -> None:
        self._replica = replica

    def options(self, **_: Any) -> LocalHandle:
        return self

    def broadcast(self, name: str, *arguments: Any) -> LocalBroadcast:
        return LocalBroadcast(getattr(self, name).remote(*arguments))

    def __getattr__(self, name: str) -> LocalMethod:
        return LocalMethod(getattr(self._replica, name))
