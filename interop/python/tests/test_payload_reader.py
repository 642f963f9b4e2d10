"""Tests that the shortcut for plaintexts accepts and refuses the same plaintexts as the full checks."""

import os
import random

from temporalio.api.common.v1 import Payload

from temporal_kms import KmsCodecError, payload_reader

SEED = int(os.environ.get("SEED") or 20_261_127)
RUNS = int(os.environ.get("RUNS") or (20_000 if "SLOW" in os.environ else 5_000))
BYTES = (0x00, 0x01, 0x08, 0x0A, 0x0B, 0x0C, 0x12, 0x1A, 0x7F, 0x80, 0xFF)


def _usual(chance: random.Random) -> bytes:
    """Returns a plaintext whose encoding and data have lengths near those at which a varint needs another byte."""
    encoding = bytes(chance.choice([0, 1, 10, 114, 115, 116, 127, 128]))
    return Payload(
        metadata={"encoding": encoding}, data=bytes(chance.choice([0, 1, 2, 127, 128, 16_383, 16_384]))
    ).SerializeToString()


def _changed(plaintext: bytes, chance: random.Random) -> bytes:
    at, cut = chance.randrange(min(len(plaintext), 150) + 1), chance.randrange(3)
    return plaintext[:at] + bytes(chance.choices(BYTES, k=chance.randrange(4))) + plaintext[at + cut :]


def _outcome(plaintext: bytes) -> str:
    try:
        payload_reader._count_fields(plaintext)
        payload_reader._check(plaintext)
    except KmsCodecError as error:
        return error.code
    return "accepted"


def test_the_shortcut_agrees_with_the_full_checks() -> None:
    chance, short = random.Random(SEED), 0
    for _ in range(RUNS):
        plaintext = _usual(chance)
        for _ in range(chance.randrange(3)):
            plaintext = _changed(plaintext, chance)
        try:
            outcome = "accepted" if payload_reader._is_usual(plaintext) else None
        except KmsCodecError as error:
            outcome = error.code
        if outcome is not None:
            short += 1
            assert outcome == _outcome(plaintext), f"{plaintext[:150].hex()}, SEED={SEED}"
    assert short > RUNS / 10


def test_the_shortcut_leaves_an_entry_of_128_bytes_to_the_full_checks() -> None:
    plaintext = Payload(metadata={"encoding": bytes(116)}, data=b"1").SerializeToString()
    assert plaintext[1:3] == b"\x80\x01"
    assert not payload_reader._is_usual(plaintext)
    # The length's second byte is missing. The first byte equals the entry's length, but is not a complete varint.
    assert not payload_reader._is_usual(plaintext[:2] + plaintext[3:])
