"""AES-256-GCM in the layout that every format uses: ``nonce(12) | ciphertext | tag(16)``."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import KmsCodecError
from .header import NONCE, TAG


def encrypt(key: AESGCM, plaintext: bytes, aad: bytes) -> bytes:
    """Returns a random nonce, the ciphertext and the tag."""
    nonce = os.urandom(NONCE)
    return nonce + key.encrypt(nonce, plaintext, aad)


def decrypt(key: AESGCM, data: bytes, aad: bytes | None = None) -> bytes:
    """Decrypts a nonce, a ciphertext and a tag, and returns the plaintext.

    :raises KmsCodecError: ``malformed`` if the data is too short; ``integrity_failed`` if it was modified
    """
    check_length(data)
    try:
        return key.decrypt(data[:NONCE], data[NONCE:], aad)
    except InvalidTag:
        # Omit the cause, because Temporal would store the cause in the workflow's history.
        raise authentication_failed() from None


def authentication_failed() -> KmsCodecError:
    """Returns the same error for every modification."""
    return KmsCodecError(
        "integrity_failed", "Authentication failed: the message was modified or truncated, or the key is wrong"
    )


def check_length(data: bytes) -> None:
    """:raises KmsCodecError: ``malformed`` if the data is too short for a nonce and a tag"""
    if len(data) < NONCE + TAG:
        raise KmsCodecError("malformed", f"The message has {len(data)} bytes, too few for a nonce and a tag")
