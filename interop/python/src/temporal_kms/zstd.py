"""Compresses to one zstd frame (RFC 8878, section 3.1.1), and decompresses a frame after measuring it."""

import io

import zstandard

from .errors import KmsCodecError

DEFAULT_LIMIT = 16 * 2**20
COMPRESS_FROM = 1024


def compress(plaintext: bytes) -> bytes | None:
    """Returns a frame, or nothing if the plaintext is short or the frame is not smaller."""
    if len(plaintext) < COMPRESS_FROM:
        return None
    frame = zstandard.ZstdCompressor(write_content_size=True).compress(plaintext)
    return frame if len(frame) < len(plaintext) else None


def decompress(frame: bytes, limit: int) -> bytes:
    """Returns the content of a frame that declares its size.

    :raises KmsCodecError: ``too_large`` by the declared size, ``malformed`` if the frame does not contain just that
    """
    if _whole_frame(frame, limit)[0] is None:
        raise _malformed("declares no content size")
    return decompress_any(frame, limit)


def decompress_any(frame: bytes, limit: int) -> bytes:
    """Returns the content of a frame of another writer, which may omit the content size."""
    # klauspost/compress, the library of temporal-proxy, compresses empty data to empty data.
    if not frame:
        return b""
    size, window = _whole_frame(frame, limit)
    if size is None and window > limit:
        raise KmsCodecError("too_large", f"The zstd frame needs a window of {window} bytes; the limit is {limit}")
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


def _whole_frame(frame: bytes, limit: int) -> tuple[int | None, int]:
    """Returns the declared content size, if any, and the window."""
    size, window, blocks_at = _header(frame)
    if size is not None and size > limit:
        raise KmsCodecError("too_large", f"The payload has {size} bytes when decompressed; the limit is {limit}")
    if _end_of_frame(frame, blocks_at) != len(frame):
        raise _malformed("is followed by other bytes")
    return size, window


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


def _end_of_frame(frame: bytes, at: int) -> int:
    last = False
    while not last:
        if len(frame) < at + 3:
            raise _malformed("is truncated")
        header = int.from_bytes(frame[at : at + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 0b11, header >> 3
        at += 3 + (1 if kind == 1 else size)
    return at + (4 if frame[4] & 0b100 else 0)


def _malformed(what: str) -> KmsCodecError:
    return KmsCodecError("malformed", f"The zstd frame {what}")
