"""Data keys: those that seal, and those that were opened. Limits are those of docs/wire-formats.md."""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .aead import data_key
from .errors import KmsCodecError
from .header import data_key_aad
from .kms import KeyService, Wrapped

SOFT_AGE, SOFT_MESSAGES, SOFT_BYTES = 3600.0, 2**20, 64 * 2**30
HARD_AGE, HARD_MESSAGES, HARD_BYTES = 24 * 3600.0, 2**28, 4 * 2**40
REFRESH_AT = 0.75
GRACE_AFTER_REFUSAL = 300.0
OPENED_TTL, OPENED_MAX = 300.0, 16_384
SEALING_MAX = 1024
REFUSED_TTL = 5.0
RETRY_AFTER = 10.0

T = TypeVar("T")
Clock = Callable[[], float]


async def within(budget: float, attempt: Callable[[], Awaitable[T]]) -> T:
    """Makes an attempt again, with growing pauses, while its error is retryable and ``budget`` seconds last."""
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
    """One call shared by everyone who needs its answer; a waiter that is cancelled doesn't end it for the others."""

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
            flight.exception()  # or asyncio complains about one whose waiters all left


async def _coroutine(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


WrappedKey = tuple[str, bytes, bytes]
"""Crypto key, additional authenticated data, wrapped bytes."""


class OpenedKeys:
    """Least recently used ones go first, and each after its time however often it is used."""

    def __init__(self, service: KeyService, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._opened: OrderedDict[WrappedKey, tuple[AESGCM | KmsCodecError, float]] = OrderedDict()
        self._flights: SingleFlight[AESGCM] = SingleFlight()

    async def get(self, wanted: WrappedKey, budget: float, key_version: int | None = None) -> AESGCM:
        known = self._opened.get(wanted)
        if known and known[1] > self._clock():
            self._opened.move_to_end(wanted)
            if isinstance(known[0], KmsCodecError):
                raise KmsCodecError(known[0].code, known[0].message)
            return known[0]
        return await self._flights.join(wanted, lambda: self._unwrap(wanted, budget, key_version))

    def keep(self, wanted: WrappedKey, what: AESGCM | KmsCodecError, seconds: float) -> None:
        self._opened[wanted] = (what, self._clock() + seconds)
        self._opened.move_to_end(wanted)
        while len(self._opened) > OPENED_MAX:
            self._opened.popitem(last=False)

    async def _unwrap(self, wanted: WrappedKey, budget: float, key_version: int | None) -> AESGCM:
        crypto_key, aad, wrapped = wanted
        try:
            key = data_key(await within(budget, lambda: self._service.unwrap(crypto_key, wrapped, aad, key_version)))
        except KmsCodecError as error:
            if not error.retryable:
                self.keep(wanted, error, REFUSED_TTL)
            raise
        self.keep(wanted, key, OPENED_TTL)
        return key


@dataclass
class SealingKey:
    cipher: AESGCM
    wrapped: Wrapped
    born: float
    messages: int = 0
    bytes: int = 0


@dataclass
class _Slot:
    crypto_key: str
    namespace: str
    current: SealingKey | None = None
    next_try: float = 0.0
    retire_at: float = float("inf")
    refresh: "asyncio.Task[None] | None" = field(default=None, repr=False)


class SealingKeys:
    """One data key a crypto key and namespace, replaced in the background.

    An outage extends its use up to the hard limits; a refusal retires it.
    """

    def __init__(self, service: KeyService, opened: OpenedKeys, clock: Clock) -> None:
        self._service = service
        self._opened = opened
        self._clock = clock
        self._slots: OrderedDict[tuple[str, str], _Slot] = OrderedDict()
        self._flights: SingleFlight[None] = SingleFlight()

    async def take(self, crypto_key: str, namespace: str, size: int, budget: float) -> SealingKey:
        """A key for one more message of ``size`` bytes, which it counts."""
        slot = self._slot(crypto_key, namespace)
        had_one = slot.current is not None
        while True:
            if slot.current is not None:
                if self._share(slot.current) >= REFRESH_AT:
                    self._refresh(slot)
                if not self._is_over(slot, slot.current, size):
                    slot.current.messages += 1
                    slot.current.bytes += size
                    return slot.current
            try:
                await self._flights.join((crypto_key, namespace), lambda: self._wrap(slot, budget))
            except KmsCodecError as error:
                if had_one and error.retryable:
                    raise KmsCodecError("data_key_exhausted", "The data key is past a hard limit") from error
                raise

    def _slot(self, crypto_key: str, namespace: str) -> _Slot:
        slot = self._slots.setdefault((crypto_key, namespace), _Slot(crypto_key, namespace))
        self._slots.move_to_end((crypto_key, namespace))
        if len(self._slots) > SEALING_MAX:
            self._slots.popitem(last=False)
        return slot

    def _share(self, key: SealingKey) -> float:
        age = self._clock() - key.born
        return max(age / SOFT_AGE, key.messages / SOFT_MESSAGES, key.bytes / SOFT_BYTES)

    def _is_over(self, slot: _Slot, key: SealingKey, size: int) -> bool:
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
        wrapped = await within(budget, lambda: self._service.wrap(slot.crypto_key, plaintext, aad))
        cipher = data_key(plaintext)
        slot.current = SealingKey(cipher, wrapped, self._clock())
        slot.next_try, slot.retire_at = 0.0, float("inf")
        self._opened.keep((slot.crypto_key, aad, wrapped.ciphertext), cipher, SOFT_AGE)
