"""The branch keys and data keys that encrypt. docs/wire-formats.md states the limits."""

import asyncio
import os
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from .decryption_keys import HARD_AGE, RETRY_AFTER, Clock, DecryptionKeys
from .errors import KmsCodecError
from .header import SALT, branch_key_aad, data_key_info
from .kms import KeyService, Wrapped
from .single_flight import SingleFlight, retry_within
from .unwrapped_key import DerivedKey, UnwrappedKey, import_branch_key, new_branch_key

SOFT_AGE = 3600.0
"""Age of a branch key at which it is replaced, in seconds."""
MAX_MESSAGES, MAX_BYTES = 2**20, 64 * 2**30
"""Limits of one data key."""
REFRESH_AT = 0.75
GRACE_AFTER_REFUSAL = 300.0
ENCRYPTION_MAX = 1024


@dataclass(frozen=True)
class BranchKey:
    secret: UnwrappedKey
    wrapped: Wrapped
    born: float


@dataclass
class EncryptionKey:
    """A data key that encrypts, and how much it has encrypted."""

    branch: BranchKey
    salt: bytes
    derived: DerivedKey
    messages: int = 0
    bytes: int = 0

    @classmethod
    def derive(cls, branch: BranchKey, namespace: str) -> "EncryptionKey":
        """Returns a data key of the branch key under a new salt."""
        salt = os.urandom(SALT)
        return cls(branch, salt, branch.secret.derive(salt, data_key_info(namespace)))

    def has_room(self, size: int) -> bool:
        """Returns whether the data key may encrypt one more message. Its first message may be larger than the limit."""
        return not self.messages or (self.messages < MAX_MESSAGES and self.bytes + size <= MAX_BYTES)


@dataclass
class _Slot:
    crypto_key: str
    namespace: str
    current: EncryptionKey | None = None
    next_try: float = 0.0
    retire_at: float = float("inf")
    refresh: "asyncio.Task[None] | None" = field(default=None, repr=False)


class EncryptionKeys:
    """The keys that encrypt: a branch key for each crypto key and namespace, refreshed in the background.

    An outage of Cloud KMS extends the use of a branch key up to its hard age; a refusal retires it. The messages and
    bytes of a data key are limited; the next data key of the same branch key takes only a new salt.
    """

    def __init__(self, service: KeyService, decryption_keys: DecryptionKeys, clock: Clock) -> None:
        self._service = service
        self._decryption_keys = decryption_keys
        self._clock = clock
        self._slots: OrderedDict[tuple[str, str], _Slot] = OrderedDict()
        self._flights: SingleFlight[None] = SingleFlight()

    async def take(self, crypto_key: str, namespace: str, size: int, budget: float) -> EncryptionKey:
        """Returns a data key for one more message of ``size`` bytes, and counts the message.

        :raises KmsCodecError: Cloud KMS refuses, or ``data_key_exhausted``
        """
        slot = self._slot(crypto_key, namespace)
        had_one = slot.current is not None
        while True:
            if slot.current is not None:
                branch = slot.current.branch
                if self._clock() - branch.born >= REFRESH_AT * SOFT_AGE:
                    self._refresh(slot)
                if not self._is_expired(slot, branch):
                    if not slot.current.has_room(size):
                        slot.current = EncryptionKey.derive(branch, namespace)
                    slot.current.messages += 1
                    slot.current.bytes += size
                    return slot.current
            try:
                await self._flights.join((crypto_key, namespace), lambda: self._wrap(slot, budget))
            except KmsCodecError as error:
                if had_one and error.retryable:
                    raise KmsCodecError(
                        "data_key_exhausted", "The branch key reached its hard age, and Cloud KMS is unavailable"
                    ) from error
                raise

    def _slot(self, crypto_key: str, namespace: str) -> _Slot:
        slot = self._slots.setdefault((crypto_key, namespace), _Slot(crypto_key, namespace))
        self._slots.move_to_end((crypto_key, namespace))
        if len(self._slots) > ENCRYPTION_MAX:
            self._slots.popitem(last=False)
        return slot

    def _is_expired(self, slot: _Slot, branch: BranchKey) -> bool:
        now = self._clock()
        return now >= slot.retire_at or now - branch.born >= HARD_AGE

    def _refresh(self, slot: _Slot) -> None:
        if slot.refresh is None and self._clock() >= slot.next_try:
            slot.refresh = asyncio.ensure_future(self._try_refresh(slot))

    async def _try_refresh(self, slot: _Slot) -> None:
        try:
            await self._flights.join((slot.crypto_key, slot.namespace), lambda: self._wrap(slot, 0))
        except KmsCodecError as error:
            now = self._clock()
            slot.next_try = now + RETRY_AFTER
            if not error.retryable and slot.current is not None and slot.retire_at == float("inf"):
                slot.retire_at = max(slot.current.branch.born + SOFT_AGE, now + GRACE_AFTER_REFUSAL)
        finally:
            slot.refresh = None

    async def _wrap(self, slot: _Slot, budget: float) -> None:
        plaintext, aad = new_branch_key(time.time_ns() // 1_000_000), branch_key_aad(slot.namespace)
        wrapped = await retry_within(budget, lambda: self._service.wrap(slot.crypto_key, plaintext, aad))
        branch = BranchKey(import_branch_key(plaintext), wrapped, self._clock())
        slot.current = EncryptionKey.derive(branch, slot.namespace)
        slot.next_try, slot.retire_at = 0.0, float("inf")
        self._decryption_keys.add((slot.crypto_key, aad, wrapped.ciphertext), branch.secret, wrapped.key_version)
