"""The work that keeps keys fresh while no payload passes."""

import asyncio
import weakref
from collections.abc import Callable

EVERY = 15.0
"""Seconds between two runs."""


class Maintenance:
    """Calls functions every ``EVERY`` seconds in the event loop that uses the codec, for as long as both exist."""

    def __init__(self, *work: Callable[[], None]) -> None:
        self._work = work
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Starts in the running event loop, unless it has."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            _schedule(weakref.ref(self), loop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Does the work, unless another loop does it now."""
        if self._loop is loop:
            for work in self._work:
                work()
        return self._loop is loop


def _schedule(reference: "weakref.ref[Maintenance]", loop: asyncio.AbstractEventLoop) -> None:
    def tick() -> None:
        maintenance = reference()
        if maintenance is not None and maintenance._run(loop):
            _schedule(reference, loop)

    loop.call_later(EVERY, tick)
