"""AES-256-GCM as every format uses it: ``nonce(12) | ciphertext | tag(16)``."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import KmsCodecError
from .header import NONCE, TAG

DATA_KEY = 32
"""Bytes of a data key."""


def data_key(plaintext: bytes) -> AESGCM:
    """:raises KmsCodecError: ``malformed`` when these are not 32 bytes, or are a direct message's payload

    Cloud KMS unwraps a direct message under the same key, and its author knows the bytes. Every payload of Temporal's
    converters contains the word, and 32 random bytes do with a probability of 2^-59.
    """
    if len(plaintext) != DATA_KEY:
        raise KmsCodecError("malformed", f"The data key has {len(plaintext)} bytes instead of {DATA_KEY}")
    if b"encoding" in plaintext:
        raise KmsCodecError("malformed", "The data key is a payload: a direct message was put in its place")
    return AESGCM(plaintext)


def seal(key: AESGCM, plaintext: bytes, aad: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + key.encrypt(nonce, plaintext, aad)


def open_box(key: AESGCM, box: bytes, aad: bytes | None = None) -> bytes:
    """:raises KmsCodecError: ``malformed`` when too short, else ``integrity_failed``, whatever was wrong"""
    check_length(box)
    try:
        return key.decrypt(box[:NONCE], box[NONCE:], aad)
    except InvalidTag:
        # One answer for every mistake, and no cause, which would end up in Temporal's history.
        raise KmsCodecError("integrity_failed", "The message isn't what was sealed") from None


def check_length(box: bytes) -> None:
    if len(box) < NONCE + TAG:
        raise KmsCodecError("malformed", f"{len(box)} bytes are too few for a nonce and a tag")
