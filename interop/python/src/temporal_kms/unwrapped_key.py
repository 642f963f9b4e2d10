"""Keys that Cloud KMS has unwrapped: data keys, and branch keys, from which this package derives data keys."""

import os
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .aead import authentication_failed
from .errors import KmsCodecError
from .header import COMMITMENT

KEY = 32
"""Length of a branch key and of a data key, in bytes."""
MAX_DERIVED = 64
"""Maximum number of derived data keys in memory for each branch key."""
_BRANCH_KEY_VERSION = b"\x01"
_DATE = 6


@dataclass(frozen=True)
class DerivedKey:
    cipher: AESGCM
    commitment: bytes
    """The bytes that commit a message to the key. Without a commitment, an attacker can craft an AES-GCM ciphertext
    that decrypts under two keys."""

    def check(self, commitment: bytes) -> None:
        """:raises KmsCodecError: ``integrity_failed`` if the message is committed to another data key"""
        if not compare_digest(self.commitment, commitment):
            raise authentication_failed()


class UnwrappedKey:
    """A data key, or a branch key with its most recently derived data keys. The cache evicts a branch key together with
    the derived data keys."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._derived: OrderedDict[tuple[bytes, bytes], DerivedKey] = OrderedDict()

    @cached_property
    def data_key(self) -> AESGCM:
        """The key itself, for formats that do not derive data keys."""
        return AESGCM(self._secret)

    def derive(self, salt: bytes, info: bytes) -> DerivedKey:
        """Returns the data key that the salt selects from this branch key."""
        known = self._derived.get((salt, info))
        if known is None:
            hkdf = HKDF(algorithm=SHA256(), length=KEY + COMMITMENT, salt=salt, info=info)
            derived = hkdf.derive(self._secret)
            known = self._derived[(salt, info)] = DerivedKey(AESGCM(derived[:KEY]), derived[KEY:])
        self._derived.move_to_end((salt, info))
        if len(self._derived) > MAX_DERIVED:
            self._derived.popitem(last=False)
        return known


def new_branch_key(created: int) -> bytes:
    """Returns the plaintext that Cloud KMS wraps for a new branch key: a version, the date and 32 random bytes.

    :param created: the date in milliseconds since 1970, which Cloud KMS authenticates together with the key. Earlier
        times count as 1970
    """
    return _BRANCH_KEY_VERSION + max(0, created).to_bytes(_DATE, "big") + os.urandom(KEY)


def import_branch_key(plaintext: bytes) -> UnwrappedKey:
    """Returns the branch key from a plaintext that Cloud KMS has unwrapped.

    :raises KmsCodecError: ``malformed`` if the length or first byte is wrong
    """
    if len(plaintext) != 1 + _DATE + KEY or plaintext[:1] != _BRANCH_KEY_VERSION:
        raise KmsCodecError(
            "malformed",
            f"The unwrapped branch key must have {1 + _DATE + KEY} bytes and start with the byte "
            f"{_BRANCH_KEY_VERSION[0]}, but it has {len(plaintext)} bytes or another first byte",
        )
    return UnwrappedKey(plaintext[1 + _DATE :])


def import_data_key(plaintext: bytes) -> UnwrappedKey:
    """Returns the data key that Cloud KMS has unwrapped.

    Refuses bytes that contain ``encoding``: they may be the payload of a direct message. Cloud KMS decrypts such a
    message with the same crypto key, and its author knows the bytes. Every payload that Temporal's converters write
    contains this word, whereas 32 random bytes contain it with a probability of 2^-59.

    :raises KmsCodecError: ``malformed`` if the key does not have 32 bytes, or may be a direct message's payload
    """
    if len(plaintext) != KEY:
        raise KmsCodecError("malformed", f"The unwrapped key has {len(plaintext)} bytes; it must have {KEY}")
    if b"encoding" in plaintext:
        raise KmsCodecError("malformed", "The key is the payload of a direct message, so its author knows it")
    return UnwrappedKey(plaintext)
