"""The branch keys and data keys for encryption. docs/wire-formats.md specifies the limits."""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock
from .decryption_keys import FAILURE_COUNTS, HARD_AGE, RETRY_AFTER, REVALIDATE, DecryptionKeys, WrappedKey
from .errors import KmsCodecError
from .header import SALT, branch_key_aad, data_key_info
from .kms import KeyService, Wrapped
from .single_flight import SingleFlight, retry_within, wait_for_answers
from .unwrapped_key import DerivedKey, UnwrappedKey, import_branch_key, new_branch_key

SOFT_AGE = 3600.0
"""At this age, in seconds, at the latest, this process replaces a branch key if Cloud KMS responds."""
MAX_MESSAGES, MAX_BYTES = 2**20, 64 * 2**30
"""Limits of one data key."""
REFRESH_AT = 0.75
WRAP_AGAIN_AT = 0.65
"""An identity that may only encrypt wraps another key, as a confirmation, after this fraction of ``REVALIDATE``."""
UNREADABLE = "permission_denied"
"""The reason code if Cloud KMS refuses to let this identity unwrap keys; the identity may still be allowed to
encrypt."""
ENCRYPTION_MAX = 1024


@dataclass(frozen=True)
class BranchKey:
    secret: UnwrappedKey
    wrapped: Wrapped
    name: WrappedKey
    """The wrapped key in the form that the decryption cache uses."""
    born: float


@dataclass
class EncryptionKey:
    """A data key that encrypts, and the numbers of messages and bytes that it has encrypted."""

    branch: BranchKey
    salt: bytes
    derived: DerivedKey
    messages: int = 0
    bytes: int = 0

    @classmethod
    def derive(cls, branch: BranchKey, namespace: str) -> "EncryptionKey":
        """Returns a data key that is derived from the branch key with a new salt."""
        salt = os.urandom(SALT)
        return cls(branch, salt, branch.secret.derive(salt, data_key_info(namespace)))

    def has_room(self, size: int) -> bool:
        """Returns whether the data key may encrypt one more message. A data key's first message may exceed the byte
        limit."""
        return not self.messages or (self.messages < MAX_MESSAGES and self.bytes + size <= MAX_BYTES)


@dataclass
class _Slot:
    crypto_key: str
    namespace: str
    current: EncryptionKey | None = None
    next_try: float = 0.0
    retire_at: float = float("inf")
    wrapped: float = 0.0
    """The start time of the last call in which Cloud KMS wrapped a key under the current key's version."""
    failing_until: float = 0.0
    """Until this time, Cloud KMS counts as unavailable."""
    refresh: "asyncio.Task[None] | None" = field(default=None, repr=False)

    def count(self, key: EncryptionKey, size: int) -> EncryptionKey:
        """Counts one more message. If the data key's limits are reached, first derives a new data key from the same
        branch key."""
        if not key.has_room(size):
            key = self.current = EncryptionKey.derive(key.branch, self.namespace)
        key.messages += 1
        key.bytes += size
        return key

    def start_refresh(self, work: Coroutine[Any, Any, None]) -> None:
        """Starts a refresh. However the refresh ends, even if it is cancelled before it begins, another refresh can
        follow."""
        self.refresh = asyncio.ensure_future(work)
        self.refresh.add_done_callback(self._end_refresh)

    def _end_refresh(self, _: object) -> None:
        self.refresh = None

    def renew(self, wrapped: float) -> None:
        """Records that Cloud KMS has wrapped a key, in a call that began at ``wrapped``."""
        self.wrapped, self.next_try, self.retire_at, self.failing_until = wrapped, 0.0, float("inf"), 0.0


class EncryptionKeys:
    """The encryption keys: one branch key for each crypto key and namespace, refreshed in the background.

    A branch key encrypts while it is younger than the soft age and Cloud KMS has confirmed within the last
    ``REVALIDATE`` seconds that this process may use the key. An older or unconfirmed key encrypts only if a caller has
    waited for Cloud KMS without a response, and only up to the hard age. If Cloud KMS refuses to wrap the next branch
    key, the current branch key encrypts until its soft age or until its last confirmation becomes invalid, whichever is
    later. If Cloud KMS refuses to unwrap the current branch key, that key encrypts until its last confirmation becomes
    invalid. The numbers of messages and bytes per data key are limited. The next data key of the same branch key needs
    only a new salt.
    """

    def __init__(self, service: KeyService, decryption_keys: DecryptionKeys, clock: Clock) -> None:
        self._service = service
        self._decryption_keys = decryption_keys
        self._clock = clock
        self._slots: OrderedDict[tuple[str, str], _Slot] = OrderedDict()
        self._flights: SingleFlight[None] = SingleFlight()

    async def take(self, crypto_key: str, namespace: str, size: int, budget: float) -> EncryptionKey:
        """Returns a data key for one more message of ``size`` bytes, and counts the message.

        :raises KmsCodecError: Cloud KMS refused a call, or ``data_key_exhausted``
        """
        slot = self._slot(crypto_key, namespace)
        had_one = slot.current is not None
        while True:
            now = self._clock()
            key = self._settled(slot, now) or self._ready(slot, now)
            if key is not None:
                return slot.count(key, size)
            if await self._answered(slot):
                continue
            try:
                await self._flights.join((crypto_key, namespace), lambda: self._wrap(slot, budget))
            except KmsCodecError as error:
                if had_one and error.retryable:
                    raise KmsCodecError(
                        "data_key_exhausted", "The branch key has reached its hard age, and Cloud KMS is unavailable"
                    ) from error
                raise

    def maintain(self) -> None:
        """Starts the refreshes that are due, so that a process that is not encrypting also notices a refusal."""
        for slot in list(self._slots.values()):
            self._refresh_if_due(slot, self._clock())

    def _slot(self, crypto_key: str, namespace: str) -> _Slot:
        slot = self._slots.get((crypto_key, namespace))
        if slot is None:
            slot = self._slots[crypto_key, namespace] = _Slot(crypto_key, namespace)
            if len(self._slots) > ENCRYPTION_MAX:
                self._slots.popitem(last=False)
        self._slots.move_to_end((crypto_key, namespace))
        return slot

    def _settled(self, slot: _Slot, now: float) -> EncryptionKey | None:
        """Returns the current data key if no refresh is due and ``_ready`` would return the key. This shortcut is
        enough for most messages."""
        key = slot.current
        if key is None or now >= slot.retire_at or now - key.branch.born >= REFRESH_AT * SOFT_AGE:
            return None
        # The cache does not contain keys that Cloud KMS has refused.
        return key if self._decryption_keys.may_use(key.branch.name, now) else None

    def _ready(self, slot: _Slot, now: float) -> EncryptionKey | None:
        """Starts a refresh if one is due. Returns the current data key, unless Cloud KMS must respond first."""
        self._refresh_if_due(slot, now)
        if slot.current is None or self._is_expired(slot, slot.current.branch, now):
            return None
        # ``may_use`` is called first, because it may start a call to Cloud KMS. The caller can then wait for this call
        # and for a refresh concurrently.
        is_readable = self._refusal(slot) is None and self._decryption_keys.may_use(slot.current.branch.name, now)
        if self._must_ask(slot, now) or not (
            is_readable or self._is_confirmed_by_wrap(slot, now) or now < self._grace_until(slot)
        ):
            return None
        return slot.current

    def _is_confirmed_by_wrap(self, slot: _Slot, now: float) -> bool:
        """Returns whether a successful wrap confirms the current key. If Cloud KMS has ever unwrapped a key under
        this crypto key for this process, the wrap must be recent. Otherwise, the identity is assumed to be
        encrypt-only, and a wrap of any age counts."""
        may_only_encrypt = slot.crypto_key not in self._decryption_keys.readable
        return self._refusal(slot) == UNREADABLE and (may_only_encrypt or now < slot.wrapped + REVALIDATE)

    def _refusal(self, slot: _Slot) -> str | None:
        return None if slot.current is None else self._decryption_keys.refusal(slot.current.branch.name)

    def _grace_until(self, slot: _Slot) -> float:
        return 0.0 if slot.current is None else self._decryption_keys.grace_until(slot.current.branch.name)

    def _confirmed_until(self, slot: _Slot) -> float:
        return 0.0 if slot.current is None else self._decryption_keys.confirmed_until(slot.current.branch.name)

    def _is_expired(self, slot: _Slot, branch: BranchKey, now: float) -> bool:
        return now >= slot.retire_at or now - branch.born >= HARD_AGE

    def _must_ask(self, slot: _Slot, now: float) -> bool:
        """Returns whether Cloud KMS must wrap a key before the current key may encrypt. Returns False while Cloud KMS
        is unavailable."""
        if slot.current is None or now < slot.failing_until:
            return False
        # After Cloud KMS has refused to wrap, the current key may encrypt past its soft age, until ``retire_at``.
        if slot.retire_at == float("inf") and now - slot.current.branch.born >= SOFT_AGE:
            return True
        is_confirmed = now < max(slot.wrapped + REVALIDATE, self._grace_until(slot))
        return not is_confirmed and self._refusal(slot) == UNREADABLE

    def _refresh_if_due(self, slot: _Slot, now: float) -> None:
        if slot.current is None or slot.refresh is not None:
            return
        refusal = self._refusal(slot)
        must_ask = self._must_ask(slot, now)
        is_refused = refusal is not None and (refusal != UNREADABLE or now - slot.wrapped >= WRAP_AGAIN_AT * REVALIDATE)
        is_old = now - slot.current.branch.born >= REFRESH_AT * SOFT_AGE
        if must_ask or ((is_old or is_refused) and now >= slot.next_try):
            slot.start_refresh(self._try_refresh(slot))

    async def _answered(self, slot: _Slot) -> bool:
        """Waits for the Cloud KMS calls in flight, but for at most one second. If the calls have not ended by then,
        Cloud KMS counts as unavailable.

        Returns False if there is no call to wait for.
        """
        now = self._clock()
        if slot.current is None or self._is_expired(slot, slot.current.branch, now):
            return False
        wanted = slot.current.branch.name
        refresh = slot.refresh if self._must_ask(slot, now) else None
        calls = {call for call in (refresh, self._decryption_keys.attempt(wanted)) if call is not None}
        if not calls:
            return False
        pending = await wait_for_answers(calls)
        if refresh in pending:
            slot.failing_until = self._clock() + FAILURE_COUNTS
        self._decryption_keys.note_silence(wanted)
        return True

    async def _try_refresh(self, slot: _Slot) -> None:
        # If Cloud KMS refuses this call, only earlier confirmations count.
        confirmed_until = max(slot.wrapped + REVALIDATE, self._confirmed_until(slot))
        try:
            await self._flights.join((slot.crypto_key, slot.namespace), lambda: self._wrap(slot, 0))
        except KmsCodecError as error:
            now = self._clock()
            slot.next_try = now + RETRY_AFTER
            if error.retryable:
                slot.failing_until = now + FAILURE_COUNTS
            elif slot.current is not None:
                soft_limit = 0.0 if self._refusal(slot) == UNREADABLE else slot.current.branch.born + SOFT_AGE
                slot.retire_at = min(slot.retire_at, max(soft_limit, confirmed_until, now))

    async def _wrap(self, slot: _Slot, budget: float) -> None:
        # Read the clocks before the call, because this process may be suspended before it reads the response.
        plaintext, started = new_branch_key(time.time_ns() // 1_000_000), self._clock()
        aad = branch_key_aad(slot.namespace)
        wrapped = await retry_within(budget, lambda: self._service.wrap(slot.crypto_key, plaintext, aad))
        name = (slot.crypto_key, aad, wrapped.ciphertext)
        branch = BranchKey(import_branch_key(plaintext), wrapped, name, started)
        if slot.current is not None and slot.current.branch.wrapped.key_version == wrapped.key_version:
            refusal = self._refusal(slot)
            is_old = started - slot.current.branch.born >= REFRESH_AT * SOFT_AGE
            if refusal == UNREADABLE and not is_old:
                # This identity may encrypt but not decrypt. The wrap has confirmed the current key, which stays in use.
                slot.renew(started)
                return
            if refusal not in (None, UNREADABLE):
                # Cloud KMS has refused to unwrap a key of this version, so check that it unwraps the new key.
                await self._decryption_keys.get(name, budget, wrapped.key_version)
        slot.current = EncryptionKey.derive(branch, slot.namespace)
        slot.renew(started)
        self._decryption_keys.add(name, branch.secret, wrapped.key_version, started)
