"""Determines a payload's format from its metadata."""

from temporalio.api.common.v1 import Payload

ENVELOPE_V2 = b"binary/envelope-kms-v2"
_REFERENCE = b"temporal.api.sdk.v1.ExternalStorageReference"


def format_of(payload: Payload) -> str:
    """Returns the payload's format: ``envelope-v2``, ``envelope``, ``direct``, ``proxy``, ``static``, ``external`` or
    ``plain``."""
    metadata = payload.metadata
    match metadata.get("encoding"):
        case b"binary/envelope-kms-v2":
            return "envelope-v2"
        case b"binary/envelope-kms":
            return "envelope"
        case b"binary/gcp-kms":
            return "direct"
        case b"binary/encrypted" if "encryption-dek" in metadata:
            return "proxy"
        case b"binary/encrypted" if "encryption-key-id" in metadata:
            return "static"
        case b"json/external-storage-reference":
            return "external"
        case b"json/protobuf" if metadata.get("messageType") == _REFERENCE:
            return "external"
        case _:
            return "plain"


def is_empty(payload: Payload) -> bool:
    """Returns whether the payload is empty, so that nothing in it could be secret or forged."""
    return not payload.data and payload.metadata.get("encoding", b"") in (b"", b"binary/null")


_FAILURE_PLACEHOLDER = Payload(
    metadata={"encoding": b"json/plain"},
    data=b'{"message":"The failure could not be encrypted, so its message and details were not stored.",'
    b'"stack_trace":""}',
)


def is_failure_placeholder(payload: Payload) -> bool:
    """Returns whether the payload is the constant that a worker stores in place of a failure that it cannot encrypt."""
    return payload == _FAILURE_PLACEHOLDER


def text(payload: Payload, key: str) -> str:
    """Returns a metadata entry as text. Invalid UTF-8 becomes text that is not part of any key's name."""
    return payload.metadata.get(key, b"").decode(errors="replace")
