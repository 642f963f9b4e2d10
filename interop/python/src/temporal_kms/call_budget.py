"""Limits one call's plaintext, so that small messages cannot fill a worker's memory."""

from .errors import KmsCodecError

DEFAULT_CALL_LIMIT = 128 * 2**20


class CallBudget:
    """Counts the decrypted and decompressed bytes of all payloads in one call.

    :param limit: the maximum, in bytes
    """

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, size: int) -> None:
        """Reserves ``size`` bytes.

        :raises KmsCodecError: ``too_large`` if fewer bytes are left
        """
        self._left -= size
        if self._left < 0:
            raise KmsCodecError(
                "too_large", "This call's payloads contain too much plaintext: send fewer payloads per call"
            )
