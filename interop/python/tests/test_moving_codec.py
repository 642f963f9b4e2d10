"""Tests that MovingCodec decodes with two codecs and encodes with one of them."""

import asyncio

import pytest
from fake_kms import FakeKms
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, WorkflowSerializationContext
from test_codec import codec_for, plain

from temporal_kms import MovingCodec
from temporal_kms_peers.encrypted import SampleCodec

EARLIER = SampleCodec("test-key-id", b"test-key-test-key-test-key-test!")
CONTEXT = WorkflowSerializationContext("pay", "order")


def encoding_of(payload: Payload) -> bytes:
    return payload.metadata["encoding"]


@pytest.mark.parametrize(
    ("earlier", "decode_only", "encoding"),
    [
        (EARLIER, True, b"binary/encrypted"),
        (None, True, b"binary/plain"),
        (EARLIER, False, b"binary/envelope-kms-v2"),
        (None, False, b"binary/envelope-kms-v2"),
    ],
)
def test_encodes_with_one_codec(earlier: PayloadCodec | None, decode_only: bool, encoding: bytes) -> None:
    payload = plain()
    codec = MovingCodec(codec_for(FakeKms()), earlier, decode_only=decode_only)
    [encoded] = asyncio.run(codec.encode([payload]))
    assert encoding_of(encoded) == encoding
    assert asyncio.run(codec.decode([encoded])) == [payload]


@pytest.mark.parametrize("decode_only", [True, False])
async def test_decodes_payloads_from_either_codec(decode_only: bool) -> None:
    kms, payloads = FakeKms(), [plain(), plain(), plain()]
    written = [
        *await codec_for(kms).encode(payloads[:1]),
        *await EARLIER.encode(payloads[1:2]),
        payloads[2],
    ]
    codec = MovingCodec(codec_for(kms), EARLIER, decode_only=decode_only).with_context(CONTEXT)
    assert await codec.decode(written) == payloads
