"""A simulated Cloud KMS in memory: it checks the key and the additional authenticated data, counts calls, and fails on
demand."""

import asyncio
import os
from collections import defaultdict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from temporal_kms import KmsCodecError, Wrapped


class FakeKms:
    def __init__(self, *, is_held: bool = False) -> None:
        self._keys: dict[str, AESGCM] = defaultdict(lambda: AESGCM(os.urandom(32)))
        self.wraps = 0
        self.unwraps = 0
        self.failing: str | None = None
        self.refusing: str | None = None
        """If set, unwraps fail with this code instead of the code in ``failing``."""
        self.is_held = is_held
        """While true, calls get no response."""
        self.waiting = 0

    async def wrap(self, key: str, plaintext: bytes, aad: bytes) -> Wrapped:
        self.wraps += 1
        await self._answer()
        nonce = os.urandom(12)
        return Wrapped(nonce + self._keys[key].encrypt(nonce, plaintext, aad), 3)

    async def unwrap(self, key: str, ciphertext: bytes, aad: bytes, key_version: int | None = None) -> bytes:
        self.unwraps += 1
        if self.refusing:
            raise KmsCodecError(self.refusing, "FakeKms refuses because the test set refusing")
        await self._answer()
        try:
            return self._keys[key].decrypt(ciphertext[:12], ciphertext[12:], aad)
        except InvalidTag:
            raise KmsCodecError("integrity_failed", "FakeKms cannot decrypt this ciphertext") from None

    async def _answer(self) -> None:
        self.waiting += 1
        await asyncio.sleep(0)
        while self.is_held:
            await asyncio.sleep(0.001)
        if self.failing:
            raise KmsCodecError(self.failing, "FakeKms fails because the test set failing")
