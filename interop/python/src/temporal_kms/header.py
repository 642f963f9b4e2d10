"""The header of ``binary/envelope-kms-v2``, and the hashes that bind a message to its key, namespace and workflow."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from .errors import KmsCodecError

VERSION = 0x02
NAMES = 1024
"""Maximum number of cached results for each hash function. Every message needs several hashes."""
WORKFLOW_TAG = 0b01
COMPRESSED = 0b10
MAX_WRAPPED_KEY = 1024
SALT = 16
COMMITMENT = 16
NONCE = 12
TAG = 16

_SCHEDULED_RUN = re.compile(r"(.+)-[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.DOTALL)


@lru_cache(NAMES)
def key_id(crypto_key: str) -> bytes:
    """Returns the 8 bytes that identify a crypto key in a header."""
    return hashlib.sha256(crypto_key.encode()).digest()[:8]


@lru_cache(NAMES)
def namespace_tag(namespace: str) -> bytes:
    """Returns the 16 bytes that bind a message to its namespace."""
    return hashlib.sha256(b"temporal-kms/v2/namespace\0" + namespace.encode()).digest()[:16]


def workflow_tag(namespace: str, workflow_id: str) -> bytes:
    """Returns the 16 bytes that bind a message to its workflow."""
    bound = "\0".join(["temporal-kms/v2/workflow", namespace, workflow_id])
    return hashlib.sha256(bound.encode()).digest()[:16]


@lru_cache(NAMES)
def workflow_tags(namespace: str, workflow_id: str) -> tuple[bytes, bytes]:
    """Returns the tags of the messages that a workflow may read: the tag of its id, and the tag of the id in its
    schedule's action."""
    return workflow_tag(namespace, workflow_id), workflow_tag(namespace, scheduled_workflow_id(workflow_id))


def scheduled_workflow_id(workflow_id: str) -> str:
    """Returns the workflow id in a schedule's action, given the id of a workflow that the schedule has started. Returns
    any other id unchanged."""
    run = _SCHEDULED_RUN.fullmatch(workflow_id)
    return run[1] if run else workflow_id


@lru_cache(NAMES)
def branch_key_aad(namespace: str) -> bytes:
    """Returns the additional authenticated data for wrapping a namespace's branch keys with Cloud KMS."""
    return b"temporal-kms/v2/branch-key\0" + namespace_tag(namespace)


@lru_cache(NAMES)
def data_key_info(namespace: str) -> bytes:
    """Returns the HKDF info for deriving a namespace's data keys from its branch keys."""
    return b"temporal-kms/v2/data-key\0" + namespace_tag(namespace)


@dataclass(slots=True)
class Header:
    compressed: bool
    key_id: bytes
    key_version: int
    namespace_tag: bytes
    workflow_tag: bytes | None
    salt: bytes
    commitment: bytes
    wrapped_key: bytes

    def __bytes__(self) -> bytes:
        if not 1 <= len(self.wrapped_key) <= MAX_WRAPPED_KEY:
            raise KmsCodecError(
                "too_large",
                f"The wrapped branch key has {len(self.wrapped_key)} bytes; the header allows only {MAX_WRAPPED_KEY}",
            )
        flags = (WORKFLOW_TAG if self.workflow_tag is not None else 0) | (COMPRESSED if self.compressed else 0)
        return b"".join(
            [
                bytes([VERSION, flags]),
                self.key_id,
                self.key_version.to_bytes(4, "big"),
                self.namespace_tag,
                self.workflow_tag or b"",
                self.salt,
                self.commitment,
                len(self.wrapped_key).to_bytes(2, "big"),
                self.wrapped_key,
            ]
        )


@dataclass(slots=True)
class Message:
    header: Header
    aad: bytes
    """The header's bytes."""
    ciphertext: bytes
    """``nonce | ciphertext | tag``."""


def parse_message(data: bytes) -> Message:
    """Splits a message into header and ciphertext.

    :raises KmsCodecError: ``malformed`` or ``unsupported_version``
    """
    if len(data) < 2:
        raise _truncated(data)
    version, flags = data[0], data[1]
    if version != VERSION:
        raise KmsCodecError(
            "unsupported_version",
            f"The message has the format version {version}; this reader supports only version {VERSION}",
        )
    if flags & ~(WORKFLOW_TAG | COMPRESSED):
        raise KmsCodecError("unsupported_version", f"The message's flags {flags:#04x} contain an unknown bit")
    reader = _Reader(data, at=2)
    key, number, namespace = reader.take(8), int.from_bytes(reader.take(4), "big"), reader.take(16)
    workflow = reader.take(16) if flags & WORKFLOW_TAG else None
    salt, commitment = reader.take(SALT), reader.take(COMMITMENT)
    length = int.from_bytes(reader.take(2), "big")
    if not 1 <= length <= MAX_WRAPPED_KEY:
        raise KmsCodecError(
            "malformed",
            f"The header declares a wrapped branch key of {length} bytes; the length must be 1 to {MAX_WRAPPED_KEY}",
        )
    wrapped = reader.take(length)
    header = Header(bool(flags & COMPRESSED), key, number, namespace, workflow, salt, commitment, wrapped)
    if number == 0:
        raise KmsCodecError("malformed", "The header contains key version 0, but key versions start at 1")
    ciphertext = data[reader.at :]
    if len(ciphertext) < NONCE + TAG:
        raise _truncated(data)
    return Message(header, data[: reader.at], ciphertext)


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.data):
            raise _truncated(self.data)
        taken, self.at = self.data[self.at : end], end
        return taken


def _truncated(data: bytes) -> KmsCodecError:
    return KmsCodecError("malformed", f"The message is truncated at byte {len(data)}")
