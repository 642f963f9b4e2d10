"""Reads a message's plaintext, which is a payload in the strict protobuf profile that docs/wire-formats.md specifies.

General protobuf parsers disagree about unknown and repeated fields, long varints and invalid UTF-8, so two readers that
use them could understand one message differently.
"""

from collections.abc import Callable

from temporalio.api.common.v1 import Payload

from .errors import KmsCodecError

METADATA, DATA, EXTERNAL_PAYLOADS = 0x0A, 0x12, 0x1A
ENTRY_KEY, ENTRY_VALUE = 0x0A, 0x12
SIZE_BYTES = 0x08
"""Protobuf tags (field number and wire type), each of which is one byte."""
_ENCODING = bytes([ENTRY_KEY, 8]) + b"encoding" + bytes([ENTRY_VALUE])
"""The start of an entry whose key is ``encoding``, up to the value's length byte."""

MAX_VARINT = 10

USUAL_FIELDS = 16
"""A reader reserves memory for fields only if a payload has more fields than this. A usual payload has about three."""
FIELD_MEMORY = 256
"""Bytes of memory that a field takes in addition to its content, although the serialized field can be only two bytes.
"""


def parse_payload(plaintext: bytes, reserve: Callable[[int], None]) -> Payload:
    """Returns the payload.

    :param reserve: called with the memory for the fields, in bytes, if there are more than ``USUAL_FIELDS``; may raise
    :raises KmsCodecError: ``malformed`` if the bytes do not conform to the profile
    """
    check_plaintext(plaintext, reserve)
    return Payload.FromString(plaintext)


def check_plaintext(plaintext: bytes, reserve: Callable[[int], None]) -> None:
    """Checks a plaintext as ``parse_payload`` does, with the same parameters and errors, but does not parse it."""
    if _is_usual(plaintext):
        return
    fields = _count_fields(plaintext)
    if fields > USUAL_FIELDS:
        reserve(fields * FIELD_MEMORY)
    _check(plaintext)


def _is_usual(plaintext: bytes) -> bool:
    """Returns whether the plaintext has the most common form: a short encoding and data. This check takes a quarter of
    the time of the full checks."""
    end, value = len(plaintext), 3 + len(_ENCODING)
    if end <= value or plaintext[0] != METADATA or not plaintext.startswith(_ENCODING, 2):
        return False
    at = value + plaintext[value - 1]
    # The entry must end with its value, and only data may follow until the end.
    return (
        plaintext[1] == at - 2 < 0x80
        and at < end
        and plaintext[at] == DATA
        and _content(plaintext, at + 1, end)[1] == end
    )


def not_a_payload() -> KmsCodecError:
    return KmsCodecError(
        "malformed",
        "The message was decrypted, but its content is not a Temporal payload in the form that writers serialize",
    )


def _count_fields(plaintext: bytes) -> int:
    """Counts the top-level fields, without allocating memory for them."""
    at, end, fields = 0, len(plaintext), 0
    while at < end:
        if plaintext[at] not in (METADATA, DATA, EXTERNAL_PAYLOADS):
            raise not_a_payload()
        _, at = _content(plaintext, at + 1, end)
        fields += 1
    return fields


def _check(plaintext: bytes) -> None:
    at, end = 0, len(plaintext)
    keys: set[bytes] = set()
    has_data = False
    while at < end:
        tag = plaintext[at]
        at, stop = _content(plaintext, at + 1, end)
        if tag == METADATA:
            key = _entry_key(plaintext, at, stop)
            if key in keys:
                raise not_a_payload()
            keys.add(key)
        elif tag == DATA and not has_data:
            has_data = True
        elif tag == EXTERNAL_PAYLOADS:
            _check_external(plaintext, at, stop)
        else:
            raise not_a_payload()
        at = stop


def _entry_key(plaintext: bytes, at: int, end: int) -> bytes:
    """Returns the key of a metadata entry. Treats a missing key or value as empty, because some serializers omit empty
    keys and values."""
    key: bytes | None = None
    has_value = False
    while at < end:
        tag = plaintext[at]
        at, stop = _content(plaintext, at + 1, end)
        if tag == ENTRY_KEY and key is None:
            key = plaintext[at:stop]
            _check_utf8(key)
        elif tag == ENTRY_VALUE and not has_value:
            has_value = True
        else:
            raise not_a_payload()
        at = stop
    return b"" if key is None else key


def _check_utf8(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError:
        # Omit the cause, because the cause contains the bytes.
        raise not_a_payload() from None


def _check_external(plaintext: bytes, at: int, end: int) -> None:
    if at < end and (plaintext[at] != SIZE_BYTES or _varint(plaintext, at + 1, end)[1] != end):
        raise not_a_payload()


def _content(plaintext: bytes, at: int, end: int) -> tuple[int, int]:
    """Reads the length at this position, and returns where its content starts and ends."""
    if at < end and plaintext[at] < 0x80:
        length, start = plaintext[at], at + 1
    else:
        length, start = _varint(plaintext, at, end)
    if length > end - start:
        raise not_a_payload()
    return start, start + length


def _varint(plaintext: bytes, at: int, end: int) -> tuple[int, int]:
    """Reads a varint of at most 64 bits, which must be in its shortest form. Returns the value and the position after
    it."""
    value = 0
    for count in range(min(MAX_VARINT, end - at)):
        byte = plaintext[at + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if (byte == 0 and count > 0) or value >= 2**64:
                break
            return value, at + count + 1
    raise not_a_payload()
