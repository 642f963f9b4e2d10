"""The cache of branch keys and data keys for decryption. docs/wire-formats.md specifies the limits."""

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
"""How many seconds a Cloud KMS response about a key version stays valid."""
HARD_AGE = 24 * 3600.0
DECRYPTION_MAX = 16_384
OWN_MAX = 2 * 1024
REFUSAL_TTL = 5.0
RETRY_AFTER = 10.0
FAILURE_COUNTS = 60.0
"""How many seconds Cloud KMS counts as unavailable after a failed attempt."""
V = TypeVar("V")

SEVERAL = 0
"""The version of a key whose messages name several versions. Real versions start at 1."""

WrappedKey = tuple[str, bytes, bytes]
"""Identifies a wrapped key: the crypto key, the additional authenticated data and the wrapped bytes."""


class _KeyVersionAccess:
    """Tracks whether Cloud KMS lets this process use a key version.

    A response about one key counts for all keys under the version.
    """

    def __init__(self, confirmed: float) -> None:
        self.confirm(confirmed)
        self.is_refused = False
        self.attempt: asyncio.Task[None] | None = None

    def start_attempt(self, work: Coroutine[Any, Any, None]) -> None:
        """Starts a call to Cloud KMS. However the call ends, even if it is cancelled before it begins, another attempt
        can follow."""
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
    """The version that authentic messages name, None before the first authentic message, or ``SEVERAL`` if messages
    name different versions."""
    confirmed: float
    used: float
    is_own: bool = False

    def is_refused_by(self, error: KmsCodecError) -> bool:
        """Returns whether an error refuses this key's version. An error can refuse a different version, if a key's
        message names a wrong version."""
        return not error.retryable and (not self.key_version or error.key_version in (None, self.key_version))


@dataclass(frozen=True)
class _RefusedKey:
    """A key that this process created and that Cloud KMS has refused to unwrap."""

    code: str
    key_version: int | None
    grace_until: float
    """When the last confirmation before the refusal expires."""


class DecryptionKeys:
    """The cache of unwrapped keys for decryption, and of refusals. When the cache is full, it evicts the least
    recently used key of another process.

    A key is usable only if Cloud KMS has confirmed within the last ``REVALIDATE`` seconds that this process may use the
    key's version. The cache renews that confirmation in the background before it expires. If Cloud KMS refuses two keys
    of a version, or the version's only key, all keys of the version are removed. If Cloud KMS does not respond, each
    key remains usable until ``HARD_AGE`` seconds after Cloud KMS last wrapped or unwrapped it.
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
        """The crypto keys that Cloud KMS has used at least once to unwrap a key for this process."""

    async def get(self, wanted: WrappedKey, budget: float, key_version: int | None = None) -> UnwrappedKey:
        """Returns the key from the cache, or unwraps it with Cloud KMS.

        :raises KmsCodecError: Cloud KMS did not unwrap the key; ``code`` is the reason
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
        """Records that a message under the key is authentic, so a holder of the key has named the key version.

        Before the first authentic message, an attacker could have named the version. Until then, a Cloud KMS response
        for the version does not count for the key, and a response for the key does not count for the version.
        """
        cached = self._keys.get(wanted)
        if cached is not None and cached.key_version is None:
            cached.key_version, cached.access = key_version, self._access(wanted, key_version, cached.confirmed)
            if cached.confirmed > cached.access.confirmed:
                cached.access.confirm(cached.confirmed)

    def add(self, wanted: WrappedKey, key: UnwrappedKey, key_version: int, wrapped: float) -> None:
        """Adds one of this process's own keys, so that the process reads its own messages without a call.

        :param wrapped: the start of the call in which Cloud KMS wrapped the key
        """
        access = self._access(wanted, key_version, wrapped)
        self._own[wanted] = _CachedKey(key, access, key_version, wrapped, self._clock(), is_own=True)
        _limit(self._own, OWN_MAX)

    def may_use(self, own: WrappedKey, now: float) -> bool:
        """Returns whether this process may encrypt with its own key now. If revalidation is due, starts it in the
        background."""
        cached = self._own.get(own)
        return cached is not None and self._is_usable(own, cached, now)

    def refusal(self, own: WrappedKey) -> str | None:
        """Returns why Cloud KMS refuses to unwrap one of this process's own keys, or None if Cloud KMS has not refused
        the key or has since unwrapped it."""
        refused = self._refused.get(own)
        return None if refused is None else refused.code

    def grace_until(self, own: WrappedKey) -> float:
        """Returns when this process must stop encrypting with a refused key, which it may use to complete work in
        progress."""
        refused = self._refused.get(own)
        return 0.0 if refused is None else refused.grace_until

    def confirmed_until(self, own: WrappedKey) -> float:
        """Returns when Cloud KMS's last confirmation of one of this process's own keys expires, even if Cloud KMS has
        refused the key since."""
        cached = self._own.get(own)
        return self.grace_until(own) if cached is None else cached.access.confirmed + REVALIDATE

    def attempt(self, own: WrappedKey) -> "asyncio.Task[None] | None":
        """Returns the call in flight that will show whether this process may still use its own key."""
        cached = self._own.get(own)
        return None if cached is None else cached.access.attempt

    def note_silence(self, own: WrappedKey) -> None:
        """Records that Cloud KMS did not respond in time to the call that ``attempt`` returns."""
        cached = self._own.get(own)
        if cached is not None:
            self._note_silence(cached.access)

    def maintain(self) -> None:
        """Revalidates each key that was used since its version's last confirmation, if the revalidation is due."""
        for keys in (self._own, self._keys):
            for wanted, cached in list(keys.items()):
                if cached.used > cached.access.confirmed:
                    self._is_usable(wanted, cached, self._clock(), is_used=False)

    def _note_silence(self, access: _KeyVersionAccess) -> None:
        # Cloud KMS counts as unavailable from now on. A late response to the call still takes effect.
        if access.attempt is not None:
            access.failing_until = self._clock() + FAILURE_COUNTS

    def _find(self, wanted: WrappedKey, key_version: int | None) -> _CachedKey | None:
        """Returns the key from the cache.

        A key's holder can name several versions for the key, and an attacker can change the version in a header. If
        messages name different versions, Cloud KMS responses for these versions do not count for the key. This
        process's own keys are exempt, because their version comes from Cloud KMS.
        """
        cached = self._keys.get(wanted)
        if cached is None:
            return self._own.get(wanted)
        self._keys.move_to_end(wanted)
        if cached.key_version and cached.key_version != key_version:
            cached.key_version, cached.access = SEVERAL, self._access(wanted, SEVERAL, cached.confirmed)
        return cached

    def _is_usable(self, wanted: WrappedKey, cached: _CachedKey, now: float, *, is_used: bool = True) -> bool:
        """Returns whether the key may be used now. If revalidation is due, starts it in the background."""
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
        # Only the key's message names the version, and any identity that may encrypt can name a wrong version.
        # Therefore, a second key must confirm the refusal.
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
        """Returns another key of the same version, preferably one that this process created, because its version is
        certain."""
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
            # Only branch keys are wrapped with additional authenticated data.
            key = import_branch_key(plaintext) if aad else import_data_key(plaintext)
        except KmsCodecError as error:
            if not error.retryable:
                self._refusals[wanted] = (error, self._clock() + REFUSAL_TTL)
                _limit(self._refusals, DECRYPTION_MAX)
            raise
        self.readable.add(crypto_key)
        # Keep a known version, because a message can name a wrong version, even for one of this process's own keys.
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
