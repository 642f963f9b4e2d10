"""AES-256-GCM in the layout of every format: ``nonce(12) | ciphertext | tag(16)``."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import KmsCodecError
from .header import NONCE, TAG

DATA_KEY = 32
"""Bytes of a data key."""


def data_key(plaintext: bytes) -> AESGCM:
    """Imports an unwrapped data key.

    Refuses bytes that contain ``encoding``: Cloud KMS unwraps a direct message under the same crypto key, and the
    author of that message knows the bytes. Every payload of Temporal's converters contains the word; 32 random bytes
    contain it with a probability of 2^-59.

    :raises KmsCodecError: ``malformed`` if these are not 32 bytes, or are the payload of a direct message
    """
    if len(plaintext) != DATA_KEY:
        raise KmsCodecError("malformed", f"The data key has {len(plaintext)} bytes; it must have {DATA_KEY}")
    if b"encoding" in plaintext:
        raise KmsCodecError("malformed", "The data key is the payload of a direct message, so its author knows it")
    return AESGCM(plaintext)


def encrypt(key: AESGCM, plaintext: bytes, aad: bytes) -> bytes:
    """Returns a random nonce, the ciphertext and the tag."""
    nonce = os.urandom(NONCE)
    return nonce + key.encrypt(nonce, plaintext, aad)


def decrypt(key: AESGCM, data: bytes, aad: bytes | None = None) -> bytes:
    """Returns the plaintext of a nonce, a ciphertext and a tag.

    :raises KmsCodecError: ``malformed`` if the data is too short, else ``integrity_failed``, whatever was modified
    """
    check_length(data)
    try:
        return key.decrypt(data[:NONCE], data[NONCE:], aad)
    except InvalidTag:
        # One answer for every modification, and no cause, because Temporal would store the cause in its history.
        raise KmsCodecError(
            "integrity_failed",
            "Authentication failed: the message was modified or truncated, or the key is wrong",
        ) from None


def check_length(data: bytes) -> None:
    """:raises KmsCodecError: ``malformed`` if the data is too short for a nonce and a tag"""
    if len(data) < NONCE + TAG:
        raise KmsCodecError("malformed", f"The message has {len(data)} bytes, too few for a nonce and a tag")
