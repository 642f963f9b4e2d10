"""The cache of data keys through outages and refusals, on a clock that the tests set."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from fake_kms import FakeKms
from temporalio.api.common.v1 import Payload
from test_codec import Clock, codec_for, fails, plain

from temporal_kms import KmsCodec, KmsCodecError, Wrapped
from temporal_kms.decryption_keys import HARD_AGE, REVALIDATE

HOUR = 3600.0


async def reader_of(kms: FakeKms, clock: Clock) -> tuple[KmsCodec, list[Payload]]:
    """Returns a codec that has decrypted one message of another process, and the message."""
    encrypted = await codec_for(kms, clock=clock).encode([plain()])
    reader = codec_for(kms, clock=clock)
    await reader.decode(encrypted)
    return reader, encrypted


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_a_data_key_in_use_is_confirmed_in_the_background() -> None:
    async def work() -> None:
        kms, clock = FakeKms(), Clock()
        reader, encrypted = await reader_of(kms, clock)
        for _ in range(60):
            clock.now += 60
            await reader.decode(encrypted)
            await asyncio.sleep(0.001)
        assert 60 / 5 <= kms.unwraps <= 60 / 2.5

    run(work())


def test_one_answer_counts_for_all_data_keys_under_the_key_version() -> None:
    async def work() -> None:
        kms, clock = FakeKms(), Clock()
        messages = [await codec_for(kms, clock=clock).encode([plain()]) for _ in range(20)]
        reader = codec_for(kms, clock=clock)
        for _ in range(60):
            for message in messages:
                await reader.decode(message)
            await asyncio.sleep(0.001)
            clock.now += 60
        assert kms.unwraps <= 20 + 60 / 2.5

    run(work())


def test_a_refusal_removes_the_data_keys_of_the_key_version() -> None:
    async def work() -> None:
        kms, clock = FakeKms(), Clock()
        reader, encrypted = await reader_of(kms, clock)
        kms.failing = "key_disabled"
        clock.now += 0.81 * REVALIDATE
        await reader.decode(encrypted)
        await asyncio.sleep(0.01)
        await fails("key_disabled", reader.decode(encrypted))
        clock.now += REVALIDATE
        kms.failing = None
        assert await reader.decode(encrypted)

    run(work())


def test_an_unused_data_key_is_confirmed_before_it_is_used_again() -> None:
    async def work() -> None:
        kms, clock = FakeKms(), Clock()
        reader, encrypted = await reader_of(kms, clock)
        clock.now += HOUR
        kms.failing = "permission_denied"
        await fails("permission_denied", reader.decode(encrypted))

    run(work())


@pytest.mark.parametrize("code", ["kms_unavailable", "kms_quota"])
def test_while_cloud_kms_does_not_answer_a_data_key_decrypts_up_to_the_hard_age(code: str) -> None:
    async def work() -> None:
        kms, clock = FakeKms(), Clock()
        reader, encrypted = await reader_of(kms, clock)
        own = await reader.encode([plain()])
        kms.failing = code
        for _ in range(23):
            clock.now += HOUR
            assert await reader.decode(encrypted)
            assert await reader.decode(own)
        clock.now += HARD_AGE
        await fails(code, reader.decode(encrypted))

    run(work())


def test_an_outage_that_is_over_does_not_keep_a_refused_key_readable() -> None:
    async def work() -> None:
        kms, clock = FakeKms(), Clock()
        reader, encrypted = await reader_of(kms, clock)
        kms.failing = "kms_unavailable"
        clock.now += HOUR
        assert await reader.decode(encrypted)
        kms.failing = "key_disabled"
        clock.now += HOUR
        await fails("key_disabled", reader.decode(encrypted))

    run(work())


class VersionedKms(FakeKms):
    """Wraps under the version that a test sets, and refuses to unwrap keys of disabled versions."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 1
        self.disabled: set[int] = set()
        self._versions: dict[bytes, int] = {}

    async def wrap(self, key: str, plaintext: bytes, aad: bytes) -> Wrapped:
        wrapped = await super().wrap(key, plaintext, aad)
        self._versions[wrapped.ciphertext] = self.version
        return Wrapped(wrapped.ciphertext, self.version)

    async def unwrap(self, key: str, ciphertext: bytes, aad: bytes, key_version: int | None = None) -> bytes:
        if self._versions[ciphertext] in self.disabled:
            raise KmsCodecError("key_disabled", "VersionedKms has disabled this version")
        return await super().unwrap(key, ciphertext, aad, key_version)


@pytest.mark.parametrize("reads_first", [True, False])
def test_a_header_that_was_changed_to_name_another_version_does_not_keep_a_disabled_version_readable(
    reads_first: bool,
) -> None:
    async def work() -> None:
        kms, clock = VersionedKms(), Clock()
        (message,) = await codec_for(kms, clock=clock).encode([plain()])
        kms.version = 2
        other = await codec_for(kms, clock=clock).encode([plain()])
        reader = codec_for(kms, clock=clock)
        if reads_first:
            await reader.decode([message])
        forged = Payload(metadata=message.metadata, data=message.data[:10] + (2).to_bytes(4, "big") + message.data[14:])
        await fails("integrity_failed", reader.decode([forged]))
        kms.disabled.add(1)
        for _ in range(6):
            clock.now += 60
            await reader.decode(other)
            await asyncio.sleep(0.001)
        await fails("key_disabled", reader.decode([message]))

    run(work())


def test_a_key_of_this_process_needs_a_call_a_day_after_it_was_wrapped() -> None:
    async def work() -> None:
        kms, clock = FakeKms(), Clock()
        codec = codec_for(kms, clock=clock)
        first = await codec.encode([plain()])
        for _ in range(25 * 15):
            clock.now += 240
            await codec.decode(await codec.encode([plain()]))
            await asyncio.sleep(0)
        kms.failing = "kms_unavailable"
        await fails("kms_unavailable", codec.decode(first))

    run(work())
