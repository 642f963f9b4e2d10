"""Recognizes what temporalio/temporal-proxy marks as compressed. This reader does not decompress it.

The encoding and its entry are from the proxy's rfc/compression.md (commit 41161af), the other entry from a draft of it
(commit 2aae5b5).
"""

from temporalio.api.common.v1 import Payload

from .errors import KmsCodecError


def is_compressed(payload: Payload) -> bool:
    """Returns whether a payload is marked as compressed by the proxy."""
    metadata = payload.metadata
    if "compression/algorithm" in metadata:
        return True
    return "compression-algorithm" in metadata and metadata.get("encoding", b"") == b"binary/compressed"


def compressed_elsewhere() -> KmsCodecError:
    return KmsCodecError(
        "layer_unreadable",
        "The payload is marked as compressed by temporal-proxy, which this reader does not decompress: read it through "
        "the proxy, and switch off compression there",
    )
