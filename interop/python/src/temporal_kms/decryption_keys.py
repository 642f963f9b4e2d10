"""The cache of branch keys and data keys that decrypt. docs/wire-formats.md states the limits."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from .clock import Clock
from .errors import KmsCodecError
from .kms import KeyService
from .single_flight import SingleFlight, retry_within, wait_for_answers
from .unwrapped_key import UnwrappedKey, import_branch_key, import_data_key

REVALIDATE = 300.0
"""Seconds for which an answer of Cloud KMS about a key version counts."""
HARD_AGE = 24 * 3600.0
DECRYPTION_MAX = 16_384
OWN_MAX = 2 * 1024
REFUSAL_TTL = 5.0
RETRY_AFTER = 10.0
FAILURE_COUNTS = 60.0
"""Seconds for which Cloud KMS counts as unavailable after a failed attempt."""
V = TypeVar("V")

SEVERAL = 0
"""No version: Cloud KMS numbers them from 1."""

WrappedKey = tuple[str, bytes, bytes]
"""Crypto key, additional authenticated data, wrapped bytes."""


class _KeyVersionAccess:
    """Whether Cloud KMS lets this process use a key version, as far as the process knows.

    One answer counts for all keys under the version.
    """

    def __init__(self, confirmed: float) -> None:
        self.confirm(confirmed)
        self.is_refused = False
        self.attempt: asyncio.Task[None] | None = None

    def start_attempt(self, work: Coroutine[Any, Any, None]) -> None:
        """Asks Cloud KMS. Another attempt can follow however it ends, even if it is cancelled before it begins."""
        self.attempt = asyncio.ensure_future(work)
        self.attempt.add_done_callback(self._end_attempt)

    def _end_attempt(self, _: object) -> None:
        self.attempt = None

    def confirm(self, started: float) -> None:
        self.confirmed = started
        self.revalidate_at = started + REVALIDATE * random.uniform(0.5, 0.8)
        self.failing_until = 0.0
        self.next_try = 0.0


@dataclass
class _CachedKey:
    key: UnwrappedKey
    access: _KeyVersionAccess
    key_version: int | None
    """The version that authentic messages name; None before there is one, ``SEVERAL`` if they name more than one."""
    confirmed: float
    used: float
    is_own: bool = False

    def is_refused_by(self, error: KmsCodecError) -> bool:
        """Whether an error refuses the key's version, and not that of a key whose message names a wrong one."""
        return not error.retryable and (not self.key_version or error.key_version in (None, self.key_version))


@dataclass(frozen=True)
class _RefusedKey:
    """A key of this process that Cloud KMS has refused to unwrap."""

    code: str
    key_version: int | None
    grace_until: float
    """Until then the last answer of Cloud KMS that was no refusal counts."""


class DecryptionKeys:
    """The cache of unwrapped keys that decrypt, and of refusals. It evicts the least recently used entry first.

    A key is used while Cloud KMS has confirmed within ``REVALIDATE`` seconds that this process may use its key
    version. The cache asks again in the background before that. A refusal of two keys of the version, or of its only
    key, removes them; while Cloud KMS does not answer, they stay usable for ``HARD_AGE`` seconds after its last answer.
    """

    def __init__(self, service: KeyService, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._keys: OrderedDict[WrappedKey, _CachedKey] = OrderedDict()
        self._own: OrderedDict[WrappedKey, _CachedKey] = OrderedDict()
        self._accesses: dict[tuple[object, ...], _KeyVersionAccess] = {}
        self._refused: OrderedDict[WrappedKey, _RefusedKey] = OrderedDict()
        self._refusals: OrderedDict[WrappedKey, tuple[KmsCodecError, float]] = OrderedDict()
        self._flights: SingleFlight[UnwrappedKey] = SingleFlight()
        self.readable: set[str] = set()
        """The crypto keys with which Cloud KMS has unwrapped a key for this process."""

    async def get(self, wanted: WrappedKey, budget: float, key_version: int | None = None) -> UnwrappedKey:
        """Returns the key from the cache, or unwraps it with Cloud KMS.

        :raises KmsCodecError: why Cloud KMS did not unwrap it
        """
        cached = self._find(wanted, key_version)
        if cached is not None:
            if self._is_usable(wanted, cached, self._clock()):
                return cached.key
            if cached.access.attempt is not None:
                await wait_for_answers({cached.access.attempt})
                self._note_silence(cached.access)
                if self._is_usable(wanted, cached, self._clock()):
                    return cached.key
        refusal = self._refusals.get(wanted)
        if refusal and refusal[1] > self._clock():
            raise KmsCodecError(refusal[0].code, refusal[0].message)
        return await self._flights.join(wanted, lambda: self._unwrap(wanted, budget, key_version))

    def authenticated(self, wanted: WrappedKey, key_version: int) -> None:
        """Notes that a message under a key is authentic, so that a holder of the key has named its version.

        Until then an attacker may have: no answer for the version counts for the key, and none for the key counts for
        the version.
        """
        cached = self._keys.get(wanted)
        if cached is not None and cached.key_version is None:
            cached.key_version, cached.access = key_version, self._access(wanted, key_version, cached.confirmed)
            if cached.confirmed > cached.access.confirmed:
                cached.access.confirm(cached.confirmed)

    def add(self, wanted: WrappedKey, key: UnwrappedKey, key_version: int, wrapped: float) -> None:
        """Adds a key of this process, so that it reads its own messages without a call.

        :param wrapped: when the call began in which Cloud KMS wrapped it
        """
        access = self._access(wanted, key_version, wrapped)
        self._own[wanted] = _CachedKey(key, access, key_version, wrapped, self._clock(), is_own=True)
        _limit(self._own, OWN_MAX)

    def may_use(self, own: WrappedKey, now: float) -> bool:
        """Whether this process may encrypt with its own key now. Starts to ask Cloud KMS again when that is due."""
        cached = self._own.get(own)
        return cached is not None and self._is_usable(own, cached, now)

    def refusal(self, own: WrappedKey) -> str | None:
        """Returns why Cloud KMS has refused to unwrap a key with which this process encrypts, until it unwraps it."""
        refused = self._refused.get(own)
        return None if refused is None else refused.code

    def grace_until(self, own: WrappedKey) -> float:
        """Until when this process may still encrypt with a refused key, to complete what is in progress."""
        refused = self._refused.get(own)
        return 0.0 if refused is None else refused.grace_until

    def confirmed_until(self, own: WrappedKey) -> float:
        """Until when Cloud KMS's last confirmation of an own key counts, also if it refuses the key now."""
        cached = self._own.get(own)
        return self.grace_until(own) if cached is None else cached.access.confirmed + REVALIDATE

    def attempt(self, own: WrappedKey) -> "asyncio.Task[None] | None":
        """Returns the call in flight that decides whether this process may use its own key."""
        cached = self._own.get(own)
        return None if cached is None else cached.access.attempt

    def note_silence(self, own: WrappedKey) -> None:
        """Notes that a caller has waited in vain for that call."""
        cached = self._own.get(own)
        if cached is not None:
            self._note_silence(cached.access)

    def maintain(self) -> None:
        """Asks Cloud KMS again about the keys that were used since its last answer, when that is due."""
        for keys in (self._own, self._keys):
            for wanted, cached in list(keys.items()):
                if cached.used > cached.access.confirmed:
                    self._is_usable(wanted, cached, self._clock(), is_used=False)

    def _note_silence(self, access: _KeyVersionAccess) -> None:
        # Cloud KMS counts as unavailable. The answer counts whenever it arrives.
        if access.attempt is not None:
            access.failing_until = self._clock() + FAILURE_COUNTS

    def _find(self, wanted: WrappedKey, key_version: int | None) -> _CachedKey | None:
        """Returns the key from the cache.

        A holder of a key can name several versions for it, and an attacker can change the version in a header. If
        messages name two, answers for either do not count for it. The version of a key of this process comes from
        Cloud KMS.
        """
        cached = self._keys.get(wanted)
        if cached is None:
            return self._own.get(wanted)
        self._keys.move_to_end(wanted)
        if cached.key_version and cached.key_version != key_version:
            cached.key_version, cached.access = SEVERAL, self._access(wanted, SEVERAL, cached.confirmed)
        return cached

    def _is_usable(self, wanted: WrappedKey, cached: _CachedKey, now: float, *, is_used: bool = True) -> bool:
        """Whether the key may be used now. Starts to ask Cloud KMS again when that is due."""
        access = cached.access
        if is_used:
            cached.used = now
        if now < access.revalidate_at and now < cached.confirmed + HARD_AGE / 2:
            return not access.is_refused
        last = cached.confirmed if cached.is_own else min(access.confirmed, cached.confirmed)
        if access.is_refused or now >= last + HARD_AGE:
            self._keys.pop(wanted, None)
            self._own.pop(wanted, None)
            return False
        if access.attempt is None and now >= access.next_try:
            access.start_attempt(self._revalidate(wanted, cached))
        return now < access.confirmed + REVALIDATE or now < access.failing_until

    async def _revalidate(self, wanted: WrappedKey, cached: _CachedKey) -> None:
        access, started = cached.access, self._clock()
        error = await self._ask(wanted, cached)
        if error is None:
            return
        if error.retryable:
            failed = self._clock()
            if started > access.confirmed:
                access.failing_until = failed + FAILURE_COUNTS
                access.next_try = failed + 2 * RETRY_AFTER * random.random()
            return
        # Its message names the version, and every identity that may encrypt can name a wrong one.
        other = self._another(wanted, access)
        second = error if other is None else await self._ask(*other)
        if second is not None and cached.is_refused_by(second):
            self._refuse(access, error.code)
        else:
            self._remove(wanted, error.code)

    async def _ask(self, wanted: WrappedKey, cached: _CachedKey) -> KmsCodecError | None:
        crypto_key, aad, wrapped = wanted
        started = self._clock()
        try:
            await self._service.unwrap(crypto_key, wrapped, aad, cached.key_version or None)
        except KmsCodecError as error:
            return error
        self.readable.add(crypto_key)
        cached.confirmed = started
        cached.access.confirm(max(started, cached.access.confirmed))
        return None

    def _another(self, probe: WrappedKey, access: _KeyVersionAccess) -> tuple[WrappedKey, _CachedKey] | None:
        """Returns another key under the version: of this process if possible, since its version is certain."""
        for keys in (self._own, self._keys):
            others = [(one, cached) for one, cached in keys.items() if cached.access is access and one != probe]
            if others:
                return random.choice(others)
        return None

    def _refuse(self, access: _KeyVersionAccess, code: str) -> None:
        access.is_refused = True
        for keys in (self._keys, self._own):
            for wanted in [wanted for wanted, cached in keys.items() if cached.access is access]:
                self._remove(wanted, code)
        self._accesses = {name: one for name, one in self._accesses.items() if one is not access}

    def _remove(self, wanted: WrappedKey, code: str) -> None:
        self._keys.pop(wanted, None)
        own = self._own.pop(wanted, None)
        if own is not None:
            self._refused[wanted] = _RefusedKey(code, own.key_version, own.access.confirmed + REVALIDATE)
            _limit(self._refused, OWN_MAX)

    def _access(self, wanted: WrappedKey, key_version: int | None, confirmed: float) -> _KeyVersionAccess:
        name = (wanted[0], key_version) if key_version else wanted
        access = self._accesses.get(name)
        if access is None:
            access = self._accesses[name] = _KeyVersionAccess(confirmed)
        return access

    async def _unwrap(self, wanted: WrappedKey, budget: float, key_version: int | None) -> UnwrappedKey:
        crypto_key, aad, wrapped = wanted
        started = self._clock()
        try:
            plaintext = await retry_within(budget, lambda: self._service.unwrap(crypto_key, wrapped, aad, key_version))
            # Only branch keys have additional authenticated data.
            key = import_branch_key(plaintext) if aad else import_data_key(plaintext)
        except KmsCodecError as error:
            if not error.retryable:
                self._refusals[wanted] = (error, self._clock() + REFUSAL_TTL)
                _limit(self._refusals, DECRYPTION_MAX)
            raise
        self.readable.add(crypto_key)
        # A message can name another version, also for a key of this process.
        refused = self._refused.pop(wanted, None)
        known = refused or self._keys.get(wanted)
        key_version = None if known is None else known.key_version
        access = self._access(wanted, key_version, started)
        access.confirm(max(started, access.confirmed))
        if refused is not None:
            self._own[wanted] = _CachedKey(key, access, key_version, started, started, is_own=True)
            return key
        self._keys[wanted] = _CachedKey(key, access, key_version, started, started)
        self._keys.move_to_end(wanted)
        _limit(self._keys, DECRYPTION_MAX)
        if len(self._accesses) > DECRYPTION_MAX:
            used = {id(cached.access) for keys in (self._keys, self._own) for cached in keys.values()}
            self._accesses = {name: one for name, one in self._accesses.items() if id(one) in used}
        return key


def _limit(entries: "OrderedDict[WrappedKey, V]", size: int) -> None:
    while len(entries) > size:
        entries.popitem(last=False)
