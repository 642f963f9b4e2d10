"""Recognizes payloads that temporalio/temporal-proxy has marked as compressed. This package does not decompress these
payloads.

The proxy's rfc/compression.md (commit 41161af) specifies the encoding and a metadata entry. An earlier draft (commit
2aae5b5) specifies the other metadata entry.
"""

from temporalio.api.common.v1 import Payload

from .errors import KmsCodecError


def is_compressed(payload: Payload) -> bool:
    """Returns whether the proxy has marked a payload as compressed."""
    metadata = payload.metadata
    if "compression/algorithm" in metadata:
        return True
    return "compression-algorithm" in metadata and metadata.get("encoding", b"") == b"binary/compressed"


def compressed_elsewhere() -> KmsCodecError:
    return KmsCodecError(
        "layer_unreadable",
        "The payload is marked as compressed by temporal-proxy, which this reader does not decompress: read the "
        "payload through the proxy, and switch off the proxy’s compression",
    )
