"""Tests the cache of data keys during outages and refusals, on a clock that the tests set."""

import asyncio
import time

import pytest
from fake_kms import FakeKms
from temporalio.api.common.v1 import Payload
from test_codec import Clock, codec_for, fails, plain

from temporal_kms import KmsCodec, KmsCodecError, Wrapped
from temporal_kms.decryption_keys import HARD_AGE, REVALIDATE
from temporal_kms.header import parse_message

HOUR = 3600.0


async def reader_of(kms: FakeKms, clock: Clock) -> tuple[KmsCodec, list[Payload]]:
    """Returns a codec and a message of another process that the codec has decrypted."""
    encrypted = await codec_for(kms, clock=clock).encode([plain()])
    reader = codec_for(kms, clock=clock)
    await reader.decode(encrypted)
    return reader, encrypted


# [C-7]
async def test_a_data_key_in_use_is_confirmed_in_the_background() -> None:
    kms, clock = FakeKms(), Clock()
    reader, encrypted = await reader_of(kms, clock)
    for _ in range(60):
        clock.now += 60
        await reader.decode(encrypted)
        await asyncio.sleep(0.001)
    assert 60 / 5 <= kms.unwraps <= 60 / 2.5


async def test_one_response_counts_for_all_data_keys_under_the_key_version() -> None:
    kms, clock = FakeKms(), Clock()
    messages = [await codec_for(kms, clock=clock).encode([plain()]) for _ in range(20)]
    reader = codec_for(kms, clock=clock)
    for _ in range(60):
        for message in messages:
            await reader.decode(message)
        await asyncio.sleep(0.001)
        clock.now += 60
    assert kms.unwraps <= 20 + 60 / 2.5


# [C-8]
async def test_a_refusal_removes_the_data_keys_of_the_key_version() -> None:
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


async def test_an_unused_data_key_is_confirmed_before_it_is_used_again() -> None:
    kms, clock = FakeKms(), Clock()
    reader, encrypted = await reader_of(kms, clock)
    clock.now += HOUR
    kms.failing = "permission_denied"
    await fails("permission_denied", reader.decode(encrypted))


@pytest.mark.parametrize("code", ["kms_unavailable", "kms_quota"])
# [C-11]
async def test_during_an_outage_a_data_key_decrypts_up_to_the_hard_age(code: str) -> None:
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


async def test_a_past_outage_does_not_keep_a_refused_key_readable() -> None:
    kms, clock = FakeKms(), Clock()
    reader, encrypted = await reader_of(kms, clock)
    kms.failing = "kms_unavailable"
    clock.now += HOUR
    assert await reader.decode(encrypted)
    kms.failing = "key_disabled"
    clock.now += HOUR
    await fails("key_disabled", reader.decode(encrypted))


class VersionedKms(FakeKms):
    """Wraps under the version that a test sets, and refuses to unwrap keys of disabled versions."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 1
        self.named: int | None = None
        """The version that messages name, if it is not the real version. The author of a message can name any
        version."""
        self.disabled: set[int] = set()
        self._versions: dict[bytes, int] = {}

    async def wrap(self, key: str, plaintext: bytes, aad: bytes) -> Wrapped:
        wrapped = await super().wrap(key, plaintext, aad)
        self._versions[wrapped.ciphertext] = self.version
        return Wrapped(wrapped.ciphertext, self.named or self.version)

    async def unwrap(self, key: str, ciphertext: bytes, aad: bytes, key_version: int | None = None) -> bytes:
        if self._versions[ciphertext] in self.disabled:
            error = KmsCodecError("key_disabled", "VersionedKms has disabled this version")
            error.key_version = self._versions[ciphertext]
            raise error
        return await super().unwrap(key, ciphertext, aad, key_version)


async def reader_of_two_versions(kms: VersionedKms, clock: Clock) -> tuple[KmsCodec, Payload, list[Payload], Payload]:
    """Returns a codec, messages under versions 1 and 2, and a copy of the first message with a header that names
    version 2."""
    (message,) = await codec_for(kms, clock=clock).encode([plain()])
    kms.version = 2
    other = await codec_for(kms, clock=clock).encode([plain()])
    forged = Payload(metadata=message.metadata, data=message.data[:10] + (2).to_bytes(4, "big") + message.data[14:])
    return codec_for(kms, clock=clock), message, other, forged


@pytest.mark.parametrize("reads_first", [True, False])
# [C-13]
async def test_a_forged_header_that_names_another_version_does_not_keep_a_disabled_version_readable(
    reads_first: bool,
) -> None:
    kms, clock = VersionedKms(), Clock()
    reader, message, other, forged = await reader_of_two_versions(kms, clock)
    if reads_first:
        await reader.decode([message])
    await fails("integrity_failed", reader.decode([forged]))
    kms.disabled.add(1)
    for _ in range(6):
        clock.now += 60
        await reader.decode(other)
        await asyncio.sleep(0.001)
    await fails("key_disabled", reader.decode([message]))


async def test_a_forged_header_that_names_a_disabled_version_does_not_keep_that_version_readable() -> None:
    kms, clock = VersionedKms(), Clock()
    reader, _, other, forged = await reader_of_two_versions(kms, clock)
    await reader.decode(other)
    kms.disabled.add(2)
    for _ in range(6):
        await fails("integrity_failed", reader.decode([forged]))
        clock.now += 60
        await asyncio.sleep(0.001)
    await fails("key_disabled", reader.decode(other))


async def test_many_messages_that_falsely_name_a_version_do_not_remove_that_versions_keys() -> None:
    kms, clock = VersionedKms(), Clock()
    kms.named = 2
    lies = [await codec_for(kms, clock=clock).encode([plain()]) for _ in range(20)]
    kms.version = 2
    other = await codec_for(kms, clock=clock).encode([plain()])
    reader = codec_for(kms, clock=clock)
    for message in (other, *lies):
        await reader.decode(message)
    kms.disabled.add(1)
    clock.now += 0.81 * REVALIDATE
    for message in lies:
        await reader.decode(message)
        await asyncio.sleep(0.001)
    kms.failing = "kms_unavailable"
    assert await reader.decode(other)


async def test_a_message_whose_author_falsely_names_a_version_does_not_remove_that_versions_keys() -> None:
    kms, clock = VersionedKms(), Clock()
    kms.named = 2
    lie = await codec_for(kms, clock=clock).encode([plain()])
    kms.version = 2
    other = await codec_for(kms, clock=clock).encode([plain()])
    process = codec_for(kms, clock=clock)
    own = await process.encode([plain()])
    for message in (other, lie):
        await process.decode(message)
    kms.disabled.add(1)
    clock.now += 0.81 * REVALIDATE
    await process.decode(lie)
    await asyncio.sleep(0.01)
    calls = (kms.wraps, kms.unwraps)
    await process.decode(own + other)
    await process.encode([plain()])
    assert (kms.wraps, kms.unwraps) == calls
    await fails("key_disabled", process.decode(lie))
    kms.disabled.add(2)
    clock.now += 0.81 * REVALIDATE
    await process.decode(other)
    await asyncio.sleep(0.01)
    await fails("key_disabled", process.decode(own))


async def test_a_process_that_only_encrypts_confirms_its_key_every_five_minutes_and_stops_after_a_refusal() -> None:
    kms, clock = FakeKms(), Clock()
    codec = codec_for(kms, clock=clock)
    for _ in range(40):
        await codec.encode([plain()])
        clock.now += 60
        await asyncio.sleep(0.001)
    assert kms.wraps == 1
    assert 40 / 5 - 1 <= kms.unwraps <= 40 / 2.5
    kms.failing = "key_disabled"
    clock.now += REVALIDATE
    await fails("key_disabled", codec.encode([plain()]))
    kms.failing = None
    assert await codec.encode([plain()])


# [C-10]
async def test_an_identity_that_may_only_encrypt_keeps_its_branch_key_and_confirms_it_by_wrapping() -> None:
    kms, clock, keys = FakeKms(), Clock(), set()
    kms.refusing = "permission_denied"
    codec = codec_for(kms, clock=clock)
    for _ in range(40):
        (message,) = await codec.encode([plain()])
        keys.add(parse_message(message.data).header.wrapped_key)
        clock.now += 60
        await asyncio.sleep(0.001)
    assert len(keys) == 1
    assert 40 / 5 <= kms.wraps <= 40 / 2.5
    assert kms.unwraps <= 1
    kms.failing = "kms_unavailable"
    clock.now += HOUR
    assert await codec.encode([plain()])
    kms.failing = "permission_denied"
    clock.now += HOUR
    await fails("permission_denied", codec.encode([plain()]))


async def test_a_process_that_may_no_longer_decrypt_stops_within_five_minutes_if_its_wraps_get_no_response() -> None:
    kms, clock = FakeKms(), Clock()
    codec = codec_for(kms, clock=clock)
    for _ in range(10):
        await codec.encode([plain()])
        clock.now += 60
        await asyncio.sleep(0.001)
    kms.failing, kms.refusing = "kms_unavailable", "permission_denied"
    for _ in range(6):
        try:
            await codec.encode([plain()])
        except KmsCodecError as error:
            assert error.retryable
        clock.now += 60
        await asyncio.sleep(0.001)
    await fails("data_key_exhausted", codec.encode([plain()]))


# [C-12]
async def test_in_an_outage_only_the_first_encode_after_a_pause_waits_for_cloud_kms() -> None:
    kms, clock = FakeKms(), Clock()
    codec = codec_for(kms, clock=clock)
    await codec.encode([plain()])
    kms.is_held = True
    clock.now += 2 * HOUR
    started = time.monotonic()
    for _ in range(100):
        await codec.encode([plain()])
    assert time.monotonic() - started < 20


async def test_an_idle_process_refreshes_its_branch_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("temporal_kms.loop_keys.EVERY", 0.01)
    kms, clock = FakeKms(), Clock()
    codec = codec_for(kms, clock=clock)
    await codec.encode([plain()])
    clock.now += 0.8 * HOUR

    async def refreshed() -> None:
        while kms.wraps < 2:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(refreshed(), 20)
    assert kms.wraps == 2


async def test_an_own_key_needs_a_call_a_day_after_cloud_kms_wrapped_it() -> None:
    kms, clock = FakeKms(), Clock()
    codec = codec_for(kms, clock=clock)
    first = await codec.encode([plain()])
    for _ in range(25 * 15):
        clock.now += 240
        await codec.decode(await codec.encode([plain()]))
        await asyncio.sleep(0)
    kms.failing = "kms_unavailable"
    await fails("kms_unavailable", codec.decode(first))
