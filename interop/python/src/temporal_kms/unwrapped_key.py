"""Keys that Cloud KMS has unwrapped: data keys, and branch keys from which data keys are derived."""

from collections import OrderedDict
from functools import cached_property

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import KmsCodecError

KEY = 32
"""Bytes of a branch key and of a data key."""
MAX_DERIVED = 64
"""Maximum number of derived data keys in memory, for each branch key."""


class UnwrappedKey:
    """A data key, or a branch key with the data keys that were derived from it last, which leave memory with it.

    Refuses bytes that contain ``encoding``: Cloud KMS unwraps a direct message under the same crypto key, and the
    author of that message knows the bytes. Every payload of Temporal's converters contains the word; 32 random bytes
    contain it with a probability of 2^-59.

    :raises KmsCodecError: ``malformed`` if these are not 32 bytes, or are the payload of a direct message
    """

    def __init__(self, plaintext: bytes) -> None:
        if len(plaintext) != KEY:
            raise KmsCodecError("malformed", f"The unwrapped key has {len(plaintext)} bytes; it must have {KEY}")
        if b"encoding" in plaintext:
            raise KmsCodecError("malformed", "The key is the payload of a direct message, so its author knows it")
        self._secret = plaintext
        self._derived: OrderedDict[tuple[bytes, bytes], AESGCM] = OrderedDict()

    @cached_property
    def data_key(self) -> AESGCM:
        """The key itself, in formats whose data keys are not derived."""
        return AESGCM(self._secret)

    def derive(self, salt: bytes, info: bytes) -> AESGCM:
        """Returns the data key of this branch key that the salt selects."""
        known = self._derived.get((salt, info))
        if known is None:
            hkdf = HKDF(algorithm=SHA256(), length=KEY, salt=salt, info=info)
            known = self._derived[(salt, info)] = AESGCM(hkdf.derive(self._secret))
        self._derived.move_to_end((salt, info))
        if len(self._derived) > MAX_DERIVED:
            self._derived.popitem(last=False)
        return known
