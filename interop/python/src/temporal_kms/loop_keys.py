"""A codec's keys in one event loop, and the background work that refreshes and revalidates them."""

import asyncio
import weakref

from .clock import Clock
from .data_keys import EncryptionKeys
from .decryption_keys import DecryptionKeys
from .decryptor import PayloadDecryptor
from .kms import KeyService

EVERY = 15.0
"""Interval between two calls of ``maintain``, in seconds."""


class LoopKeys:
    """The keys of the running event loop. The loop calls ``maintain`` as long as the loop and this object exist."""

    def __init__(self, service: KeyService, clock: Clock, max_decompressed: int) -> None:
        self._decryption_keys = DecryptionKeys(service, clock)
        self.encryption_keys = EncryptionKeys(service, self._decryption_keys, clock)
        self.decryptor = PayloadDecryptor(service, self._decryption_keys, max_decompressed)
        _schedule(weakref.ref(self), asyncio.get_running_loop())

    def maintain(self) -> None:
        """Refreshes and revalidates keys that are due."""
        self._decryption_keys.maintain()
        self.encryption_keys.maintain()


def _schedule(reference: "weakref.ref[LoopKeys]", loop: asyncio.AbstractEventLoop) -> None:
    def tick() -> None:
        keys = reference()
        if keys is not None:
            keys.maintain()
            _schedule(reference, loop)

    loop.call_later(EVERY, tick)
