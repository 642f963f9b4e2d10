"""Tests that errors and log records contain no plaintext and no keys, wherever an error reporter looks."""

import asyncio
import base64
import json
import logging
import pickle
from collections.abc import Iterator

import pytest
from fake_kms import FakeKms
from temporalio.api.common.v1 import Payload
from test_codec import KEY, codec_for

from temporal_kms import CloudKms, KeyRules, KmsCodec, KmsCodecError, NamespaceRule
from temporal_kms.data_keys import HARD_AGE

CANARY = b"canary 4111"


def shown(error: BaseException) -> Iterator[str]:
    """Yields what an error reporter shows: the error, its causes and contexts, and variables of the codec's frames."""
    yield repr(error)
    yield str(error)
    at = error.__traceback__
    while at is not None:
        if "/temporal_kms/" in at.tb_frame.f_code.co_filename.replace("\\", "/"):
            yield from map(repr, at.tb_frame.f_locals.values())
        at = at.tb_next
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield from shown(other)


def raised_by(codec: KmsCodec, payloads: list[Payload]) -> KmsCodecError:
    with pytest.raises(KmsCodecError) as caught:
        asyncio.run(codec.decode(payloads))
    return caught.value


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "inner",
    [
        Payload(metadata={"encoding": b"binary/encrypted"}, data=CANARY),
        Payload(metadata={"compression/algorithm": b"zstd"}, data=CANARY),
        Payload(metadata={"encoding": b"binary/compressed", "compression-algorithm": b"zstd"}, data=CANARY),
    ],
)
def test_an_error_about_a_decrypted_payload_does_not_contain_the_payload(inner: Payload, count: int) -> None:
    kms = FakeKms()
    messages = asyncio.run(codec_for(kms).encode([inner] * count))
    error = raised_by(codec_for(kms), messages)
    assert error.code == "layer_unreadable"
    assert not [text for text in shown(error) if CANARY.decode() in text]


async def test_an_errors_cause_keeps_its_code() -> None:
    kms, now = FakeKms(), [0.0]
    codec = codec_for(kms, clock=lambda: now[0])
    await codec.encode([Payload()])
    kms.failing, now[0] = "kms_unavailable", HARD_AGE
    with pytest.raises(KmsCodecError) as caught:
        await codec.encode([Payload()])
    assert caught.value.code == "data_key_exhausted"
    assert isinstance(caught.value.__cause__, KmsCodecError)
    assert caught.value.__cause__.code == "kms_unavailable"


def test_rules_do_not_show_static_keys() -> None:
    rule = NamespaceRule(reads=frozenset({"static"}), static={"k1": CANARY})
    assert "canary" not in repr(KeyRules({"pay": rule}))


def test_an_error_can_be_pickled_and_sent_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(KmsCodecError("key_disabled", "the key is disabled")))
    assert isinstance(error, KmsCodecError)
    assert (error.code, error.message, error.type) == (
        "key_disabled",
        "the key is disabled",
        "KmsCodecError:key_disabled",
    )


class AllRecords(logging.Handler):
    """Keeps every log record in the form in which a handler that writes all attributes would show it."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(json.dumps(record.__dict__, default=repr))


def test_googles_client_logs_no_keys(emulator: str) -> None:
    handler, google = AllRecords(), logging.getLogger("google")
    google.addHandler(handler)
    google.setLevel(logging.DEBUG)
    key = bytes(range(39))

    async def work() -> None:
        service = CloudKms.connect(emulator)
        wrapped = await service.wrap(KEY, key, b"")
        assert await service.unwrap(KEY, wrapped.ciphertext, b"") == key
        await service.close()

    try:
        asyncio.run(work())
    finally:
        google.removeHandler(handler)
        google.setLevel(logging.NOTSET)
    assert not [text for text in handler.texts if base64.b64encode(key).decode() in text]
