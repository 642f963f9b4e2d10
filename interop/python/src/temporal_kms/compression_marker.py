"""Decompresses what temporalio/temporal-proxy compressed: only the data of a payload, marked in its metadata.

The metadata entry is from its rfc/compression.md (commit 2aae5b5), the names and bytes from its pkg/compress (commit
7b10d79, branch compression_algos).
"""

from collections.abc import Callable

import cramjam
import lz4.frame
from temporalio.api.common.v1 import Payload

from . import zstd
from .errors import KmsCodecError
from .lz4_size import measure_lz4

MARKER = "compression/algorithm"


def is_compressed(payload: Payload) -> bool:
    """Returns whether a payload is marked as compressed, with any algorithm."""
    return MARKER in payload.metadata


def is_decompressible(payload: Payload) -> bool:
    """Returns whether this reader knows the algorithm that the marker names."""
    return bytes(payload.metadata.get(MARKER, b"")) in _ALGORITHMS


def decompress_marked(payload: Payload, limit: int, reserve: Callable[[int], None]) -> Payload:
    """Returns the payload as it was before the proxy compressed it, without the marker.

    :param reserve: called with the size of the content; may raise
    :raises KmsCodecError: ``layer_unreadable`` for an unknown algorithm, ``too_large``, ``malformed``
    """
    decompress = _ALGORITHMS.get(payload.metadata[MARKER])
    if decompress is None:
        raise unknown_compression()
    result = Payload()
    result.CopyFrom(payload)
    del result.metadata[MARKER]
    result.data = decompress(payload.data, limit, reserve)
    return result


def unknown_compression() -> KmsCodecError:
    return KmsCodecError(
        "layer_unreadable",
        "The payload is compressed with an algorithm that this reader does not know: it reads zstd, snappy and lz4",
    )


def _snappy(block: bytes, limit: int, reserve: Callable[[int], None]) -> bytes:
    """Decompresses one block. The proxy writes blocks under the name of the framed format."""
    size, at = _preamble(block)
    if size > limit:
        raise KmsCodecError("too_large", f"The payload has {size} bytes when decompressed; the limit is {limit}")
    # A copy element of three bytes produces at most 64 bytes: no block expands more.
    if 3 * size > 64 * (len(block) - at):
        raise _malformed("snappy block declares more bytes than it can contain")
    reserve(size)
    try:
        content = bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError:
        # cramjam refuses some valid blocks, such as a short literal with a long length at the end of the block.
        content = _decompress_snappy(block, at, size)
    if len(content) != size:
        raise _malformed("snappy block does not contain the declared number of bytes")
    return content


def _decompress_snappy(block: bytes, at: int, size: int) -> bytes:
    """Decompresses the elements of a block (format_description.txt of google/snappy), which begin at this position."""
    content = bytearray()
    while at < len(block):
        tag, kind = block[at] >> 2, block[at] & 0b11
        width = (max(0, tag - 59), 1, 2, 4)[kind]
        at += 1
        number = int.from_bytes(block[at : at + width], "little")
        at += width
        if kind == 0:
            length, offset = (number if width else tag) + 1, 0
            content += block[at : at + length]
            at += length
        elif kind == 1:
            length, offset = (tag & 0b111) + 4, (tag >> 3) << 8 | number
        else:
            length, offset = tag + 1, number
        if at > len(block) or len(content) + (length if kind else 0) > size:
            raise _malformed("snappy block is damaged")
        if kind:
            if not 0 < offset <= len(content):
                raise _malformed("snappy block is damaged")
            source = content[-offset:]
            content += (source * (length // offset + 1))[:length]
    return bytes(content)


def _preamble(block: bytes) -> tuple[int, int]:
    size = 0
    for at, byte in enumerate(block[:5]):
        size |= (byte & 0x7F) << (7 * at)
        if byte < 0x80 and size < 2**32:
            return size, at + 1
        if byte < 0x80:
            break
    raise _malformed("snappy block has no size of at most 32 bits")


def _lz4(frame: bytes, limit: int, reserve: Callable[[int], None]) -> bytes:
    if len(frame) < 7 or frame[:4] != b"\x04\x22\x4d\x18":
        raise _malformed("LZ4 frame has no magic number")
    if frame[4] & 0b01:
        raise _malformed("LZ4 frame needs a dictionary")
    decompressor = lz4.frame.LZ4FrameDecompressor()
    try:
        # This also checks the descriptor.
        declared = lz4.frame.get_frame_info(frame)["content_size"]
        if declared > limit:
            raise KmsCodecError(
                "too_large", f"The payload declares more than {limit} bytes when decompressed; the limit is {limit}"
            )
        size = measure_lz4(frame, limit)
        if frame[4] & 0b1000 and size != declared:
            raise _malformed("LZ4 frame does not contain the declared number of bytes")
        reserve(size)
        content: bytes = decompressor.decompress(frame, max_length=size + 1)
    except RuntimeError:
        raise _malformed("LZ4 frame is damaged") from None
    if not decompressor.eof or len(content) != size:
        raise _malformed("LZ4 frame is damaged")
    return content


def _malformed(what: str) -> KmsCodecError:
    return KmsCodecError("malformed", f"The {what}")


_ALGORITHMS = {
    b"application/zstd": zstd.decompress_any,
    b"application/x-snappy-framed": _snappy,
    b"application/x-lz4": _lz4,
    b"zstd": zstd.decompress_any,
    b"snappy": _snappy,
    b"lz4": _lz4,
}
"""The names that the proxy writes, and the names of its settings."""
