"""Tests the codec with a simulated Cloud KMS in memory, and the reading of keys files."""

import asyncio
import hmac
import os
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fake_kms import FakeKms
from temporalio.api.common.v1 import Payload
from temporalio.converter import ActivitySerializationContext, DataConverter, WorkflowSerializationContext

from temporal_kms import KeyRules, KmsCodec, KmsCodecError, NamespaceRule, Wrapped, read_keys_file
from temporal_kms.data_keys import REFRESH_AT, SOFT_AGE
from temporal_kms.decryption_keys import HARD_AGE, REVALIDATE
from temporal_kms.header import Header, branch_key_aad, parse_message
from temporal_kms.unwrapped_key import UnwrappedKey, new_branch_key

T = TypeVar("T")
KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/pay"
RULES = KeyRules({"pay": NamespaceRule(encrypt=KEY), "ship": NamespaceRule(encrypt=KEY)})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def codec_for(kms: FakeKms, context: str = "pay", workflow_id: str | None = None, **options: Any) -> KmsCodec:
    codec = KmsCodec(RULES, kms, other_budget=options.pop("other_budget", 0.0), **options)
    return codec.with_context(WorkflowSerializationContext(context, workflow_id))  # type: ignore[arg-type]


def plain(size: int = 10) -> Payload:
    return Payload(metadata={"encoding": b"binary/plain"}, data=os.urandom(size))


async def fails(code: str, work: Coroutine[Any, Any, object]) -> None:
    with pytest.raises(KmsCodecError) as raised:
        await work
    assert raised.value.code == code
    assert raised.value.type == f"KmsCodecError:{code}"


def test_decodes_what_it_encoded() -> None:
    kms, payloads = FakeKms(), [plain(size) for size in (0, 1, 1000, 100_000)]
    encrypted = run(codec_for(kms).encode(payloads))
    assert run(codec_for(kms).decode(encrypted)) == payloads
    assert {payload.metadata["encoding"] for payload in encrypted} == {b"binary/envelope-kms-v2"}


# [L-1] [L-5]
def test_refuses_to_encode_what_decode_would_refuse_as_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("temporal_kms.codec.MAX_PAYLOAD", 1000)
    kms = FakeKms()
    run(fails("too_large", codec_for(kms).encode([plain(1000)])))
    run(fails("too_large", codec_for(kms).encode([Payload(metadata={"more": bytes(1000)}, data=b"1")])))
    assert run(codec_for(kms).decode(run(codec_for(kms).encode([plain(600)]))))


def test_limits_the_plaintext_of_one_call() -> None:
    kms, size = FakeKms(), 100_000
    bomb = run(codec_for(kms, compression=True).encode([Payload(data=bytes(size))]))[0]
    limited = codec_for(kms, max_call=3 * size)
    assert len(run(limited.decode([bomb] * 2))) == 2
    run(fails("too_large", limited.decode([bomb] * 3)))
    run(fails("too_large", limited.decode(run(codec_for(kms).encode([plain(size)])) * 4)))
    run(fails("too_large", limited.encode([plain(size)] * 4)))


def test_works_in_a_data_converter() -> None:
    async def work() -> None:
        converter = DataConverter(payload_codec=KmsCodec(RULES, FakeKms(), namespace="pay"))
        bound = converter.with_context(WorkflowSerializationContext("pay", "order-1"))
        assert await bound.decode(await bound.encode([{"a": 1}])) == [{"a": 1}]
        await fails("namespace_mismatch", _moved(converter))

    async def _moved(converter: DataConverter) -> None:
        other = KmsCodec(RULES, FakeKms(), namespace="ship")
        encrypted = await converter.with_context(WorkflowSerializationContext("pay", "o")).encode([1])
        await other.decode(encrypted)

    run(work())


def test_binds_a_message_to_its_namespace() -> None:
    kms = FakeKms()
    encrypted = run(codec_for(kms, "ship").encode([plain()]))
    run(fails("namespace_mismatch", codec_for(kms, "pay").decode(encrypted)))


def test_binds_a_message_to_its_workflow_on_request() -> None:
    kms, run_1, run_2 = FakeKms(), "nightly-2026-11-24T02:00:00Z", "nightly-2026-11-25T02:00:00Z"
    for written_in in ("nightly", run_1):
        encrypted = run(codec_for(kms, workflow_id=written_in, bind_workflow=True).encode([plain()]))
        run(fails("workflow_mismatch", codec_for(kms, workflow_id="weekly").decode(encrypted)))
        # Temporal passes the result of a run to the next run of the schedule.
        for read_in in ("nightly", run_1, run_2, "", None):
            assert run(codec_for(kms, workflow_id=read_in).decode(encrypted))


# [W-2] [W-3]
def test_binds_an_activitys_message_to_one_run_of_a_schedule() -> None:
    def in_activity(workflow_id: str) -> KmsCodec:
        # The context's other fields depend on the SDK's version.
        known = {"namespace": "pay", "workflow_id": workflow_id, "is_local": False}
        context = ActivitySerializationContext(
            **{field.name: known.get(field.name, "any") for field in fields(ActivitySerializationContext)}
        )
        return KmsCodec(RULES, kms, activity_budget=0.0, bind_workflow=True).with_context(context)

    kms = FakeKms()
    encrypted = run(in_activity("nightly-2026-11-24T02:00:00Z").encode([plain()]))
    assert run(in_activity("nightly-2026-11-24T02:00:00Z").decode(encrypted))
    for other in ("nightly-2026-11-25T02:00:00Z", "nightly"):
        run(fails("workflow_mismatch", in_activity(other).decode(encrypted)))


def test_does_not_bind_a_message_if_the_workflow_id_is_empty() -> None:
    (encrypted,) = run(codec_for(FakeKms(), workflow_id="", bind_workflow=True).encode([plain()]))
    assert parse_message(encrypted.data).header.workflow_tag is None


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"encoding": b"binary/encrypted", "encryption-key-id": b"another-key"}, id="another static key"),
        pytest.param(
            {"encoding": b"binary/encrypted", "encryption-key-id": b"gcpkms://another", "encryption-dek": b"eA=="},
            id="a proxy's key that is not listed",
        ),
        pytest.param({"encoding": b"binary/envelope-kms"}, id="a format that the rule does not read"),
        pytest.param({"encoding": b"binary/compressed", "compression/algorithm": b"zstd"}, id="a compression marker"),
    ],
)
# [N-7]
def test_passes_an_inner_payload_to_the_codecs_that_decode_afterwards(metadata: dict[str, bytes]) -> None:
    rule = NamespaceRule(encrypt=KEY, reads=frozenset({"envelope-v2", "proxy", "static"}), plaintext="refuse")
    kms, inner = FakeKms(), Payload(metadata=metadata, data=b"x" * 40)

    def codec(inner_codecs: bool) -> KmsCodec:
        return KmsCodec(KeyRules({"pay": rule}), kms, namespace="pay", other_budget=0.0, inner_codecs=inner_codecs)

    encrypted = run(codec(False).encode([inner]))
    assert run(codec(True).decode(encrypted)) == [inner]
    run(fails("layer_unreadable", codec(False).decode(encrypted)))


# [Z-1] [Z-2]
def test_compresses_if_the_result_is_smaller() -> None:
    kms, payload = FakeKms(), Payload(data=b"a" * 50_000)
    (encrypted,) = run(codec_for(kms, compression=True).encode([payload]))
    assert len(encrypted.data) < 1000
    assert parse_message(encrypted.data).header.compressed
    assert run(codec_for(kms).decode([encrypted])) == [payload]


def test_does_not_compress_what_a_reader_would_refuse_to_decompress() -> None:
    kms, payload = FakeKms(), Payload(data=b"a" * 50_000)
    (encrypted,) = run(codec_for(kms, compression=True, max_decompressed=50_000).encode([payload]))
    assert not parse_message(encrypted.data).header.compressed
    assert run(codec_for(kms, max_decompressed=50_000).decode([encrypted])) == [payload]


# [L-5]
def test_refuses_to_encode_payloads_that_one_decode_call_would_refuse() -> None:
    compressible, many = Payload(data=b"a" * 1000, metadata={"more": b"a" * 9000}), Payload()
    for _ in range(1000):
        many.external_payloads.add()
    for payload, options in ((compressible, {"compression": True}), (many, {})):
        run(fails("too_large", codec_for(FakeKms(), max_call=10_000, **options).encode([payload])))
        codec = codec_for(FakeKms(), max_call=300_000, **options)
        assert run(codec.decode(run(codec.encode([payload])))) == [payload]


@pytest.mark.parametrize("field", [b"\x78\x01", b"\x1a\x02\x10\x01"])
# [P-8]
def test_refuses_to_encode_fields_that_it_does_not_know(field: bytes) -> None:
    payload = Payload.FromString(plain().SerializeToString() + field)
    run(fails("malformed", codec_for(FakeKms()).encode([payload])))


def test_treats_a_clock_before_1970_as_1970() -> None:
    assert new_branch_key(-1)[:7] == b"\x01" + bytes(6)


def test_reads_the_failure_placeholder_even_if_the_rule_refuses_plaintext() -> None:
    rules = KeyRules({"pay": NamespaceRule(encrypt=KEY, plaintext="refuse")})
    codec = KmsCodec(rules, FakeKms(), other_budget=0.0).with_context(WorkflowSerializationContext("pay", None))  # type: ignore[arg-type]
    message = b"The failure could not be encrypted, so its message and details were not stored."
    text = b'{"message":"%s","stack_trace":""}' % message
    placeholder = Payload(metadata={"encoding": b"json/plain"}, data=text)
    assert run(codec.decode([placeholder])) == [placeholder]
    changed = Payload(metadata={"encoding": b"json/plain", "more": b""}, data=text)
    run(fails("format_not_allowed", codec.decode([changed])))


def test_does_not_encode_for_a_namespace_that_is_not_configured() -> None:
    run(fails("namespace_not_configured", codec_for(FakeKms(), "elsewhere", namespace="pay").encode([plain()])))


async def test_shares_one_cloud_kms_call_between_concurrent_callers() -> None:
    kms, clock = FakeKms(), Clock()
    codec = codec_for(kms, clock=clock)
    encrypted = [message for (message,) in await asyncio.gather(*[codec.encode([plain()]) for _ in range(200)])]
    assert (kms.wraps, kms.unwraps) == (1, 0)
    await codec.decode(encrypted)
    assert kms.unwraps == 0
    other = codec_for(kms, clock=clock)
    await asyncio.gather(*[other.decode([message]) for message in encrypted])
    assert kms.unwraps == 1
    clock.now += REVALIDATE
    await other.decode(encrypted[:1])
    assert kms.unwraps == 2


# [C-1] [C-2]
async def test_refreshes_a_branch_key_in_the_background_and_uses_it_during_an_outage() -> None:
    kms, clock = FakeKms(), Clock()
    codec = codec_for(kms, clock=clock)
    await codec.encode([plain()])
    kms.failing = "kms_unavailable"
    clock.now += SOFT_AGE + 1
    await codec.encode([plain()])
    clock.now += HARD_AGE
    await fails("data_key_exhausted", codec.encode([plain()]))
    kms.failing = None
    await codec.encode([plain()])
    before = kms.wraps
    clock.now += REFRESH_AT * SOFT_AGE
    await codec.encode([plain()])
    await asyncio.sleep(0.01)
    assert kms.wraps == before + 1


async def test_retires_a_branch_key_whose_refresh_was_refused() -> None:
    kms, clock = FakeKms(), Clock()
    codec = codec_for(kms, clock=clock)
    await codec.encode([plain()])

    async def refuse(key: str, plaintext: bytes, aad: bytes) -> Wrapped:
        raise KmsCodecError("permission_denied", "The test refuses to wrap")

    kms.wrap = refuse  # type: ignore[method-assign]
    clock.now += REFRESH_AT * SOFT_AGE
    await codec.encode([plain()])
    await asyncio.sleep(0.01)
    await codec.encode([plain()])
    clock.now = 1000.0 + SOFT_AGE
    await fails("permission_denied", codec.encode([plain()]))


@pytest.mark.parametrize("code", ["permission_denied", "key_disabled"])
# [C-3] [C-9]
async def test_a_refused_branch_key_encrypts_for_five_minutes_after_its_confirmation_even_past_its_soft_age(
    code: str,
) -> None:
    kms, clock = FakeKms(), Clock()
    codec = codec_for(kms, clock=clock)
    await codec.encode([plain()])
    wrap = kms.wrap

    async def no_answer(key: str, plaintext: bytes, aad: bytes) -> Wrapped:
        raise KmsCodecError("kms_unavailable", "The test does not answer")

    kms.wrap = no_answer  # type: ignore[method-assign]
    clock.now = confirmed = 1000.0 + SOFT_AGE - 60
    await codec.encode([plain()])
    kms.failing, kms.wrap = code, wrap  # type: ignore[method-assign]
    clock.now += 90
    await codec.encode([plain()])
    kms.failing = "kms_unavailable"
    clock.now += 60
    await codec.encode([plain()])
    kms.failing = code
    clock.now = confirmed + REVALIDATE - 1
    await codec.encode([plain()])
    clock.now += 1
    await fails(code, codec.encode([plain()]))


@pytest.mark.parametrize(("limit", "value"), [("MAX_MESSAGES", 3), ("MAX_BYTES", 3 * 28)])
# [E-5] [C-4]
async def test_never_uses_a_salt_beyond_its_limits(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(f"temporal_kms.data_keys.{limit}", value)
    kms, payload = FakeKms(), Payload(data=bytes(26))
    assert payload.ByteSize() == 28
    codec = codec_for(kms)
    await codec.encode([payload])
    kms.failing = "kms_unavailable"
    encrypted = await codec.encode([payload] * 29)
    headers = [parse_message(message.data).header for message in encrypted]
    counts = Counter(header.salt for header in headers)
    assert max(counts.values()) == 3
    assert len({header.wrapped_key for header in headers}) == 1
    kms.failing = None
    other = codec_for(kms)
    assert await other.decode(encrypted) == [payload] * 29
    assert (kms.wraps, kms.unwraps) == (1, 1)


async def test_generates_a_different_salt_for_each_process_and_branch_key() -> None:
    kms, salts = FakeKms(), set()
    for _ in range(20):
        clock = Clock()
        codec = codec_for(kms, clock=clock)
        for _ in range(2):
            (encrypted,) = await codec.encode([plain()])
            salts.add(parse_message(encrypted.data).header.salt)
            clock.now += HARD_AGE
    assert len(salts) == 40


def test_derives_a_data_key_and_its_commitment_with_hkdf() -> None:
    secret, salt, info = bytes(range(32)), bytes(range(16)), b"info"
    prk = hmac.digest(salt, secret, "sha256")
    key = hmac.digest(prk, info + b"\x01", "sha256")
    nonce = bytes(12)
    derived = UnwrappedKey(secret).derive(salt, info)
    assert derived.cipher.encrypt(nonce, b"x", None) == AESGCM(key).encrypt(nonce, b"x", None)
    assert derived.commitment == hmac.digest(prk, key + info + b"\x02", "sha256")[:16]


def test_wraps_a_branch_key_together_with_its_date() -> None:
    kms = FakeKms()
    before = time.time_ns() // 1_000_000
    (encrypted,) = run(codec_for(kms).encode([plain()]))
    wrapped = parse_message(encrypted.data).header.wrapped_key
    plaintext = run(kms.unwrap(KEY, wrapped, branch_key_aad("pay")))
    assert (len(plaintext), plaintext[0]) == (39, 1)
    assert before <= int.from_bytes(plaintext[1:7], "big") <= time.time_ns() // 1_000_000


def test_keeps_a_limited_number_of_derived_data_keys() -> None:
    key, salts = UnwrappedKey(bytes(32)), [bytes([n]) * 16 for n in range(65)]
    derived = [key.derive(salt, b"") for salt in salts]
    assert key.derive(salts[64], b"") is derived[64]
    assert key.derive(salts[1], b"") is derived[1]
    assert key.derive(salts[0], b"") is not derived[0]


async def test_retries_retryable_failures_within_the_wait_budget() -> None:
    kms = FakeKms()
    kms.failing = "kms_quota"
    waiting = asyncio.ensure_future(codec_for(kms, other_budget=5.0).encode([plain()]))
    await asyncio.sleep(0.25)
    kms.failing = None
    assert await waiting
    assert kms.wraps > 1


def test_parses_the_header_that_it_wrote() -> None:
    for tag in (None, os.urandom(16)):
        header = Header(True, os.urandom(8), 7, os.urandom(16), tag, os.urandom(16), os.urandom(16), os.urandom(120))
        message = parse_message(bytes(header) + bytes(28))
        assert (message.header, message.aad, message.ciphertext) == (header, bytes(header), bytes(28))


def test_reads_a_keys_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("00" * 32)
    (tmp_path / "keys.yaml").write_text(
        f"namespaces: {{pay: {{encrypt: {KEY}, reads: [static], static: {{k1: {{file: key}}}}}}}}\n...\n"
    )
    assert read_keys_file(tmp_path / "keys.yaml").resolve("pay").static == {"k1": bytes(32)}


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("default: {reads: [direct, proxy], encrypt: projects/p/locations/l/keyRings/r/cryptoKeys/k}", "forged"),
        ("namespaces: {pay: {encrpyt: x}}", "namespaces.pay"),
        ("namespaces: {pay: {reads: [v3]}}", "namespaces.pay.reads"),
        ("default: {plaintext: no way}", "default.plaintext"),
        ("keys: {}", "keys"),
    ],
)
def test_reports_the_location_of_a_mistake_in_a_keys_file(tmp_path: Path, file: str, place: str) -> None:
    (tmp_path / "keys.yaml").write_text(f"{file}\n...\n")
    with pytest.raises(ValueError, match=place):
        read_keys_file(tmp_path / "keys.yaml")


@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (1_024, True), (1_025, False)])
def test_writes_a_header_with_a_wrapped_key_of_1_to_1024_bytes(length: int, fits: bool) -> None:
    header = Header(False, bytes(8), 7, bytes(16), None, bytes(16), bytes(16), bytes(length))
    if fits:
        assert parse_message(bytes(header) + bytes(28)).header == header
    else:
        with pytest.raises(KmsCodecError) as raised:
            bytes(header)
        assert raised.value.code == "too_large"
