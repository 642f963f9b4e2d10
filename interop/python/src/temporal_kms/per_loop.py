"""Values that belong to an event loop."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Creates a value for each event loop that asks for it, and keeps it while the loop is open.

    Tasks, timers and connections belong to one loop, and threads cannot share them. So programs may use a codec in
    several threads, in one loop after another, and after a fork.
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
