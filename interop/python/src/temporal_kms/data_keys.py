"""The data keys that encrypt. docs/wire-formats.md states the limits."""

import asyncio
import os
from collections import OrderedDict
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .aead import data_key
from .decryption_keys import HARD_AGE, RETRY_AFTER, Clock, DecryptionKeys
from .errors import KmsCodecError
from .header import data_key_aad
from .kms import KeyService, Wrapped
from .single_flight import SingleFlight, retry_within

SOFT_AGE, SOFT_MESSAGES, SOFT_BYTES = 3600.0, 2**20, 64 * 2**30
HARD_MESSAGES, HARD_BYTES = 2**28, 4 * 2**40
REFRESH_AT = 0.75
GRACE_AFTER_REFUSAL = 300.0
ENCRYPTION_MAX = 1024


@dataclass
class EncryptionKey:
    cipher: AESGCM
    wrapped: Wrapped
    born: float
    messages: int = 0
    bytes: int = 0


@dataclass
class _Slot:
    crypto_key: str
    namespace: str
    current: EncryptionKey | None = None
    next_try: float = 0.0
    retire_at: float = float("inf")
    refresh: "asyncio.Task[None] | None" = field(default=None, repr=False)


class EncryptionKeys:
    """The data keys that encrypt: one for each crypto key and namespace, refreshed in the background.

    An outage of Cloud KMS extends the use of a data key up to its hard limits; a refusal retires it.
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
                if self._share(slot.current) >= REFRESH_AT:
                    self._refresh(slot)
                if not self._is_exhausted(slot, slot.current, size):
                    slot.current.messages += 1
                    slot.current.bytes += size
                    return slot.current
            try:
                await self._flights.join((crypto_key, namespace), lambda: self._wrap(slot, budget))
            except KmsCodecError as error:
                if had_one and error.retryable:
                    raise KmsCodecError(
                        "data_key_exhausted", "The data key reached a hard limit, and Cloud KMS is unavailable"
                    ) from error
                raise

    def _slot(self, crypto_key: str, namespace: str) -> _Slot:
        slot = self._slots.setdefault((crypto_key, namespace), _Slot(crypto_key, namespace))
        self._slots.move_to_end((crypto_key, namespace))
        if len(self._slots) > ENCRYPTION_MAX:
            self._slots.popitem(last=False)
        return slot

    def _share(self, key: EncryptionKey) -> float:
        age = self._clock() - key.born
        return max(age / SOFT_AGE, key.messages / SOFT_MESSAGES, key.bytes / SOFT_BYTES)

    def _is_exhausted(self, slot: _Slot, key: EncryptionKey, size: int) -> bool:
        now = self._clock()
        return (
            now >= slot.retire_at
            or now - key.born >= HARD_AGE
            or key.messages >= HARD_MESSAGES
            or key.bytes + size > HARD_BYTES
        )

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
                slot.retire_at = max(slot.current.born + SOFT_AGE, now + GRACE_AFTER_REFUSAL)
        finally:
            slot.refresh = None

    async def _wrap(self, slot: _Slot, budget: float) -> None:
        plaintext, aad = os.urandom(32), data_key_aad(slot.namespace)
        wrapped = await retry_within(budget, lambda: self._service.wrap(slot.crypto_key, plaintext, aad))
        cipher = data_key(plaintext)
        slot.current = EncryptionKey(cipher, wrapped, self._clock())
        slot.next_try, slot.retire_at = 0.0, float("inf")
        self._decryption_keys.add((slot.crypto_key, aad, wrapped.ciphertext), cipher, wrapped.key_version)
