"""A clock for the ages of keys."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since an arbitrary time. Never goes back."""

TOLERANCE = 0.1
"""How far the wall clock may be behind, in seconds, before it counts as set back. It can seem to be behind because the
two clocks are not read at exactly the same moment."""


def running_time() -> float:
    """Returns the time, in seconds, of a clock that cannot be set. On Linux, this clock also runs while the machine is
    suspended."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


def elapsed_clock(wall: Clock = time.time, running: Clock = running_time) -> Clock:
    """Returns a clock that, at each reading, advances by as much as whichever of two clocks has advanced more.

    It therefore counts the time in which the machine or virtual machine was suspended, and continues if the time of day
    is set back. Otherwise, keys would be used for too long.
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
