"""Codecs of other projects, written afresh from their behaviour, to test that their messages are readable."""

from typing import Any, Protocol


class Kms(Protocol):
    """The two methods of Google's KeyManagementServiceClient that the peers call."""

    def encrypt(self, request: dict[str, Any]) -> Any: ...

    def decrypt(self, request: dict[str, Any]) -> Any: ...
