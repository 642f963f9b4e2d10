"""Measures and checks the blocks of an LZ4 frame (doc/lz4_Frame_format.md and lz4_Block_format.md of lz4/lz4).

liblz4 decompresses blocks that are invalid, such as a match with the offset 0, and ignores a declared size of 0.
"""

from .errors import KmsCodecError

MIN_MATCH = 4
AFTER_LITERALS = 2 + 1 + 5
"""A match has an offset of two bytes, and a sequence of five literals must follow it, since a block ends with those."""
LAST_LITERALS = 5
LAST_MATCH = 12
"""A block of the maximum size ends with five literals and starts no match in its last twelve bytes."""


def measure_lz4(frame: bytes, limit: int) -> int:
    """Returns the size of the content of a frame whose descriptor is valid.

    :raises KmsCodecError: ``too_large`` above the limit, ``malformed``
    """
    flags, max_block = frame[4], 1 << (8 + 2 * (frame[5] >> 4))
    checksum = 4 if flags & 0b1_0000 else 0
    at, size = 15 if flags & 0b1000 else 7, 0
    while True:
        header = int.from_bytes(frame[at : at + 4], "little")
        at += 4
        if at > len(frame):
            raise _malformed()
        if header == 0:
            break
        is_stored, length = header >> 31, header & 0x7FFF_FFFF
        end = at + length
        if length > max_block or end + checksum > len(frame):
            raise _malformed()
        floor = size if flags & 0b10_0000 else 0
        size = size + length if is_stored else _measure_block(frame, at, end, size, size + max_block, floor)
        if size > limit:
            raise KmsCodecError(
                "too_large", f"The payload has more than {limit} bytes when decompressed; the limit is {limit}"
            )
        at = end + checksum
    if at + (4 if flags & 0b100 else 0) != len(frame):
        raise _malformed()
    return size


def _measure_block(frame: bytes, at: int, end: int, size: int, most: int, floor: int) -> int:
    """Returns the size of the content after a compressed block, which follows ``size`` bytes of content.

    :param floor: matches do not refer to content before it
    """
    while at < end:
        token = frame[at]
        literals, at = _length(frame, at + 1, end, token >> 4)
        at += literals
        size += literals
        if at > end or size > most:
            break
        if at == end:
            return size
        if end - at < AFTER_LITERALS or size > most - LAST_MATCH:
            break
        offset = frame[at] | frame[at + 1] << 8
        match, at = _length(frame, at + 2, end, token & 15)
        match += MIN_MATCH
        if not 0 < offset <= size - floor or size + match > most - LAST_LITERALS:
            break
        size += match
    raise _malformed()


def _length(frame: bytes, at: int, end: int, length: int) -> tuple[int, int]:
    """Returns a length and the position after it. Another byte follows 15, and each byte of 255."""
    byte = 255 if length == 15 else 0
    while byte == 255:
        if at >= end:
            raise _malformed()
        byte = frame[at]
        length += byte
        at += 1
    return length, at


def _malformed() -> KmsCodecError:
    return KmsCodecError("malformed", "The LZ4 frame is damaged")
