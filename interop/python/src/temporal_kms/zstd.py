"""Compresses to one zstd frame (RFC 8878, section 3.1.1), and decompresses a frame after measuring it."""

import io
from collections.abc import Callable

import zstandard

from .errors import KmsCodecError

DEFAULT_LIMIT = 16 * 2**20
COMPRESS_FROM = 1024
_MAX_BLOCK = 128 * 1024
_MAX_WINDOW = 128 * 2**20
"""Limit on the window of a frame that declares its content size: decompressors differ above it."""


def compress(plaintext: bytes, limit: int) -> bytes | None:
    """Returns a frame, or nothing if the plaintext is short, a reader refuses its size, or the frame is not smaller."""
    if not COMPRESS_FROM <= len(plaintext) <= limit:
        return None
    frame = zstandard.ZstdCompressor(write_content_size=True).compress(plaintext)
    return frame if len(frame) < len(plaintext) else None


def decompress(frame: bytes, limit: int, reserve: Callable[[int], None]) -> bytes:
    """Returns the content of a frame that declares its size.

    :param reserve: called with the size before the content is allocated; may raise
    :raises KmsCodecError: ``too_large`` by the declared size, ``malformed`` if the frame does not contain just that
    """
    if _whole_frame(frame, limit)[0] is None:
        raise _malformed("declares no content size")
    return decompress_any(frame, limit, reserve)


def decompress_any(frame: bytes, limit: int, reserve: Callable[[int], None]) -> bytes:
    """Returns the content of a frame of another writer, which may omit the content size.

    :param reserve: called with the size, or without it with what the blocks can contain, before that is allocated
    """
    # klauspost/compress, the library of temporal-proxy, compresses empty data to empty data.
    if not frame:
        return b""
    size, window, in_blocks = _whole_frame(frame, limit)
    if size is None and window > limit:
        raise KmsCodecError("too_large", f"The zstd frame needs a window of {window} bytes; the limit is {limit}")
    reserve(min(in_blocks, limit) if size is None else size)
    most = limit if size is None else size
    try:
        # zstandard's one-shot function does not verify a declared size of 0. A reader that requests one byte more
        # reaches the end of the frame, where zstd compares sizes and checksum.
        content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(frame), read_size=len(frame)).read(most + 1)
    except zstandard.ZstdError:
        raise _malformed("is damaged") from None
    if size is None and len(content) > limit:
        raise KmsCodecError(
            "too_large", f"The payload has more than {limit} bytes when decompressed; the limit is {limit}"
        )
    if size is not None and len(content) != size:
        raise _malformed("does not contain the declared number of bytes")
    return content


def _whole_frame(frame: bytes, limit: int) -> tuple[int | None, int, int]:
    """Returns the declared content size, if any, the window, and an upper bound of the content of the blocks."""
    size, window, blocks_at = _header(frame)
    if size is not None and size > limit:
        raise KmsCodecError("too_large", f"The payload has {size} bytes when decompressed; the limit is {limit}")
    is_single_segment = frame[4] & 0b100000
    if size is not None and not is_single_segment and window > _MAX_WINDOW:
        raise _malformed("has a window of more than 128 MiB")
    end, in_blocks = _measure_blocks(frame, blocks_at, min(window, _MAX_BLOCK))
    if end > len(frame):
        raise _malformed("is truncated")
    if end < len(frame):
        raise _malformed("is followed by other bytes")
    return size, window, in_blocks


def _header(frame: bytes) -> tuple[int | None, int, int]:
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
    # zstandard.frame_content_size takes 2^64 - 1 for an unknown size.
    size = int.from_bytes(frame[at : at + width], "little") + (256 if width == 2 else 0)
    window = size if single_segment else (8 + (frame[5] & 0b111)) << (7 + (frame[5] >> 3))
    return (None if width == 0 else size), window, at + width


def _measure_blocks(frame: bytes, at: int, max_block: int) -> tuple[int, int]:
    """Returns the end of the frame, and an upper bound of the content of its blocks."""
    last, in_blocks = False, 0
    while not last:
        if len(frame) < at + 3:
            raise _malformed("is truncated")
        header = int.from_bytes(frame[at : at + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 0b11, header >> 3
        if kind == 3 or size > max_block:
            raise _malformed("has a block that is too large or unknown")
        at += 3 + (1 if kind == 1 else size)
        in_blocks += size if kind < 2 else _MAX_BLOCK
    return at + (4 if frame[4] & 0b100 else 0), in_blocks


def _malformed(what: str) -> KmsCodecError:
    return KmsCodecError("malformed", f"The zstd frame {what}")
