"""One zstd frame (RFC 8878, section 3.1.1), measured before it is decompressed."""

import io

import zstandard

from .errors import KmsCodecError

DEFAULT_LIMIT = 16 * 2**20
COMPRESS_FROM = 1024


def compress(plaintext: bytes) -> bytes | None:
    """A frame, or nothing where it saves nothing."""
    if len(plaintext) < COMPRESS_FROM:
        return None
    frame = zstandard.ZstdCompressor(write_content_size=True).compress(plaintext)
    return frame if len(frame) < len(plaintext) else None


def decompress(frame: bytes, limit: int) -> bytes:
    """:raises KmsCodecError: ``too_large`` by what is declared, ``malformed`` where the frame doesn't hold just that"""
    if _whole_frame(frame, limit)[0] is None:
        raise _malformed("declares no content size")
    return decompress_any(frame, limit)


def decompress_any(frame: bytes, limit: int) -> bytes:
    """The same for a frame of another writer, which may leave its content size away."""
    # What klauspost/compress, temporal-proxy's library, makes of nothing.
    if not frame:
        return b""
    size, window = _whole_frame(frame, limit)
    if size is None and window > limit:
        raise KmsCodecError("too_large", f"It wants a window of {window} bytes; the limit is {limit}")
    most = limit if size is None else size
    try:
        # zstandard's one-shot call takes a declared size of 0 on trust; a reader that is asked for one byte more meets
        # the frame's end, where zstd itself compares sizes and checksum.
        content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(frame)).read(most + 1)
    except zstandard.ZstdError:
        raise _malformed("is damaged") from None
    if size is None and len(content) > limit:
        raise KmsCodecError("too_large", f"More than {limit} bytes once decompressed")
    if size is not None and len(content) != size:
        raise _malformed("doesn't hold what it declares")
    return content


def _whole_frame(frame: bytes, limit: int) -> tuple[int | None, int]:
    """The declared content size, if any, and the window."""
    size, window, blocks_at = _header(frame)
    if size is not None and size > limit:
        raise KmsCodecError("too_large", f"{size} bytes once decompressed; the limit is {limit}")
    if _end_of_frame(frame, blocks_at) != len(frame):
        raise _malformed("is followed by other bytes")
    return size, window


def _header(frame: bytes) -> tuple[int | None, int, int]:
    """Content size, window, and where the blocks start."""
    if len(frame) < 6 or frame[:4] != b"\x28\xb5\x2f\xfd":
        raise _malformed("has no magic number")
    descriptor = frame[4]
    if descriptor & 0b11:
        raise _malformed("wants a dictionary")
    if descriptor & 0b1000:
        raise _malformed("sets a reserved bit")
    single_segment = bool(descriptor & 0b100000)
    width = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    at = 5 if single_segment else 6
    if len(frame) < at + width:
        raise _malformed("is cut off")
    # zstandard.frame_content_size would take 2^64 - 1 for "unknown".
    size = int.from_bytes(frame[at : at + width], "little") + (256 if width == 2 else 0)
    window = size if single_segment else (8 + (frame[5] & 0b111)) << (7 + (frame[5] >> 3))
    return (None if width == 0 else size), window, at + width


def _end_of_frame(frame: bytes, at: int) -> int:
    last = False
    while not last:
        if len(frame) < at + 3:
            raise _malformed("is cut off")
        header = int.from_bytes(frame[at : at + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 0b11, header >> 3
        at += 3 + (1 if kind == 1 else size)
    return at + (4 if frame[4] & 0b100 else 0)


def _malformed(what: str) -> KmsCodecError:
    return KmsCodecError("malformed", f"The zstd frame {what}")
