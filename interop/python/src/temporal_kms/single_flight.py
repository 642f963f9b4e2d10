"""Retries Cloud KMS calls within a time budget, and shares calls between callers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from .errors import KmsCodecError

T = TypeVar("T")

SLOW = 1.0
"""If Cloud KMS does not respond within this number of seconds, it counts as unavailable."""
_TICKS = 10


async def wait_for_answers(calls: "set[asyncio.Task[None]]") -> "set[asyncio.Task[None]]":
    """Waits for calls, but for at most ``SLOW`` seconds of this process's running time. Returns the calls that have
    not ended.

    Waits in ticks of equal length. A tick during which this process was suspended counts as only one tick.
    """
    pending = calls
    for _ in range(_TICKS):
        _, pending = await asyncio.wait(calls, timeout=SLOW / _TICKS)
        if not pending:
            break
    return pending


async def retry_within(budget: float, attempt: Callable[[], Awaitable[T]]) -> T:
    """Retries an attempt, with growing pauses, while its error is retryable and the budget, in seconds, is not
    exhausted."""
    end, pause = time.monotonic() + budget, 0.1
    while True:
        try:
            return await attempt()
        except KmsCodecError as error:
            if not error.retryable or time.monotonic() + pause > end:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, 2.0)


class SingleFlight(Generic[T]):
    """Shares one call among all callers that need its result. If a caller is cancelled, the call continues for the
    other callers."""

    def __init__(self) -> None:
        self._flights: dict[object, asyncio.Task[T]] = {}

    async def join(self, key: object, call: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(_coroutine(call))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    def _landed(self, key: object, flight: "asyncio.Task[T]") -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # prevents asyncio from logging an error if all callers were cancelled


async def _coroutine(call: Callable[[], Awaitable[T]]) -> T:
    return await call()
