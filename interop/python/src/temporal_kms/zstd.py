"""Compresses to one zstd frame (RFC 8878, section 3.1.1), and decompresses a frame after checking its size."""

import io
from collections.abc import Callable

import zstandard

from .errors import KmsCodecError

DEFAULT_LIMIT = 16 * 2**20
COMPRESS_FROM = 1024
_MAX_BLOCK = 128 * 1024
_MAX_WINDOW = 128 * 2**20
"""Maximum size of a frame's window. Decompressors differ in whether they accept larger windows."""


def compress(plaintext: bytes, limit: int) -> bytes | None:
    """Returns a frame, or None if the plaintext is short, if readers would refuse its size, or if the frame is not
    smaller."""
    if not COMPRESS_FROM <= len(plaintext) <= limit:
        return None
    frame = zstandard.ZstdCompressor(write_content_size=True).compress(plaintext)
    return frame if len(frame) < len(plaintext) else None


def decompress(frame: bytes, limit: int, reserve: Callable[[int], None]) -> bytes:
    """Decompresses a frame that declares its content size.

    :param reserve: called with the declared size before memory is allocated; may raise
    :raises KmsCodecError: ``too_large`` if the declared size exceeds the limit; ``malformed`` if the frame's content
        does not have exactly that size
    """
    size = _measure(frame, limit)
    reserve(size)
    try:
        # zstandard's one-shot function does not verify a declared size of 0. Therefore, read one byte more than the
        # declared size, to reach the end of the frame, where zstd verifies the size and the checksum.
        content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(frame), read_size=len(frame)).read(size + 1)
    except zstandard.ZstdError:
        raise _malformed("is damaged") from None
    if len(content) != size:
        raise _malformed("does not contain the declared number of bytes")
    return content


def _measure(frame: bytes, limit: int) -> int:
    """Returns the content size that a whole frame declares."""
    size, window, blocks_at = _header(frame)
    if size > limit:
        raise KmsCodecError("too_large", f"The payload has {size} bytes when decompressed; the limit is {limit}")
    is_single_segment = frame[4] & 0b100000
    if not is_single_segment and window > _MAX_WINDOW:
        raise _malformed("has a window of more than 128 MiB")
    end = _end(frame, blocks_at, min(window, _MAX_BLOCK))
    if end > len(frame):
        raise _malformed("is truncated")
    if end < len(frame):
        raise _malformed("is followed by other bytes")
    return size


def _header(frame: bytes) -> tuple[int, int, int]:
    """Returns the content size, the window, and the position of the first block."""
    if len(frame) < 6 or frame[:4] != b"\x28\xb5\x2f\xfd":
        raise _malformed("has no magic number")
    descriptor = frame[4]
    if descriptor & 0b11:
        raise _malformed("needs a dictionary")
    if descriptor & 0b1000:
        raise _malformed("sets a reserved bit")
    single_segment = bool(descriptor & 0b100000)
    width = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    at = 5 if single_segment else 6
    if len(frame) < at + width:
        raise _malformed("is truncated")
    if width == 0:
        raise _malformed("does not declare its content size")
    # zstandard.frame_content_size is not used, because it treats 2^64 - 1 as an unknown size.
    size = int.from_bytes(frame[at : at + width], "little") + (256 if width == 2 else 0)
    window = size if single_segment else (8 + (frame[5] & 0b111)) << (7 + (frame[5] >> 3))
    return size, window, at + width


def _end(frame: bytes, at: int, max_block: int) -> int:
    """Returns the position of a frame's end, given the position of its first block."""
    last = False
    while not last:
        if len(frame) < at + 3:
            raise _malformed("is truncated")
        header = int.from_bytes(frame[at : at + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 0b11, header >> 3
        if kind == 3 or size > max_block:
            raise _malformed("has a block that is too large or unknown")
        at += 3 + (1 if kind == 1 else size)
    return at + (4 if frame[4] & 0b100 else 0)


def _malformed(what: str) -> KmsCodecError:
    return KmsCodecError("malformed", f"The zstd frame {what}")
