"""A clock for the ages of keys."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since any time. It never goes back."""

TOLERANCE = 0.1
"""A wall clock that is behind by no more than this counts as unchanged: the two clocks are not read at once."""


def running_time() -> float:
    """Returns seconds that nothing sets. On Linux they include those for which the machine was suspended."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


def elapsed_clock(wall: Clock = time.time, running: Clock = running_time) -> Clock:
    """Returns a clock that advances by whichever of two clocks has advanced more since its last reading.

    So it counts the time for which the machine or the virtual machine was suspended, and continues when the time of
    day is set back: otherwise keys would be used for longer.
    """
    offset = wall() - running()
    elapsed_offset = offset

    def read() -> float:
        nonlocal offset, elapsed_offset
        now = running()
        moved = wall() - now - offset
        elapsed_offset += max(moved, 0.0)
        if moved > 0 or moved < -TOLERANCE:
            offset += moved
        return now + elapsed_offset

    return read
