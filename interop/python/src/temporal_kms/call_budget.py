"""Bounds the plaintext of one call, so that small messages cannot fill the memory of a worker."""

from .errors import KmsCodecError

DEFAULT_CALL_LIMIT = 128 * 2**20


class CallBudget:
    """:param limit: most bytes of plaintext, decrypted and decompressed, of all payloads of a call together"""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, size: int) -> None:
        """:raises KmsCodecError: ``too_large`` when that is more than is left"""
        self._left -= size
        if self._left < 0:
            raise KmsCodecError("too_large", "The payloads of this call hold too much plaintext: send fewer per call")

    def at_most(self, limit: int) -> int:
        """Bytes that one payload may still hold, up to its own limit."""
        return max(0, min(limit, self._left))
