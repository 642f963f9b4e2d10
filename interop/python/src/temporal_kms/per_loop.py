"""Values that belong to an event loop."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Creates one value for each event loop, and keeps the value while the loop is open.

    Tasks, timers and connections belong to one event loop, and threads cannot share them. Because each loop has a
    separate value, programs can use a codec in several threads and in consecutive event loops, and a forked process
    does not use its parent's keys.
    """

    def __init__(self, create: Callable[[], T]) -> None:
        self._create = create
        self._values: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self) -> T:
        """Returns the value of the running event loop."""
        loop = asyncio.get_running_loop()
        value = self._values.get(loop)
        if value is None:
            for one in list(self._values):
                if one.is_closed():
                    self._values.pop(one, None)
            value = self._values[loop] = self._create()
        return value
