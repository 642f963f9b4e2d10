"""The clock that measures how old keys are."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since an arbitrary time. Never goes back."""

TOLERANCE = 0.1
"""How far the wall clock may be behind the running clock, in seconds, before the wall clock counts as set back. The
wall clock can seem to be behind, because the two clocks are not read at exactly the same moment."""


def running_time() -> float:
    """Returns the time, in seconds, of a clock that cannot be set. On Linux, this clock also runs while the machine is
    suspended."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


def elapsed_clock(wall: Clock = time.time, running: Clock = running_time) -> Clock:
    """Returns a clock that, at each reading, advances as far as ``wall`` or ``running``, whichever has advanced more.

    The returned clock therefore counts the time during which the machine was suspended, and keeps running if the wall
    clock is set back. With one clock alone, this process could use keys for too long.
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
