"""Reimplementations of other projects' codecs, to test that temporal_kms reads those projects' messages."""

from typing import Any, Protocol


class Kms(Protocol):
    """The two methods of Google's KeyManagementServiceClient that the peers call."""

    def encrypt(self, request: dict[str, Any]) -> Any: ...

    def decrypt(self, request: dict[str, Any]) -> Any: ...
