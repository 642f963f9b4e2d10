package reader

import (
	"bytes"

	"github.com/klauspost/compress/zstd"
)

const (
	maxWindow = 128 << 20
	maxBlock  = 128 << 10
)

// checkFrame checks the header and the block sizes of a zstd frame, and returns the declared size of its
// content [Z-3] to [Z-5].
func checkFrame(frame []byte, limit int) (int, error) {
	header, ok := bytes.CutPrefix(frame, []byte{0x28, 0xb5, 0x2f, 0xfd})
	// Bits 0 and 1 declare a dictionary id, and bit 3 is reserved.
	if !ok || len(header) == 0 || header[0]&0b1011 != 0 {
		return 0, fail(Malformed, "no zstd frame without a dictionary")
	}
	descriptor, rest := header[0], header[1:]
	window, windowed := byte(0), descriptor&(1<<5) == 0
	if windowed {
		if len(rest) == 0 {
			return 0, fail(Malformed, "the zstd frame header is cut off")
		}
		window, rest = rest[0], rest[1:]
	}
	width := [4]int{0, 2, 4, 8}[descriptor>>6]
	if width == 0 && !windowed {
		width = 1
	}
	if len(rest) < width {
		return 0, fail(Malformed, "the zstd frame header is cut off")
	}
	size := littleEndian(rest[:width])
	if width == 2 {
		size += 256
	}
	if size > uint64(limit) {
		return 0, fail(TooLarge, "the zstd frame declares %d bytes, the limit is %d", size, limit)
	}
	if width == 0 || window > 0x88 {
		return 0, fail(Malformed, "the zstd frame declares no size, or a window above 128 MiB")
	}
	limit = min(maxBlock, int(size))
	if windowed {
		base := 1 << (10 + window>>3)
		limit = min(maxBlock, base+base/8*int(window&7))
	}
	return int(size), checkBlocks(rest[width:], limit, descriptor&(1<<2) != 0)
}

// checkBlocks checks that every block has at most limit bytes, and that the frame ends after its last block or
// checksum.
func checkBlocks(rest []byte, limit int, checksum bool) error {
	for last := false; !last; {
		if len(rest) < 3 {
			return fail(Malformed, "the zstd frame ends before its last block")
		}
		block := int(littleEndian(rest[:3]))
		size, kind := block>>3, block>>1&3
		stored := size
		if kind == 1 { // a run-length block, which contains one byte
			stored = 1
		}
		if kind == 3 || size > limit || len(rest) < 3+stored {
			return fail(Malformed, "a zstd block has the reserved type, is too long, or is cut off")
		}
		last, rest = block&1 != 0, rest[3+stored:]
	}
	if checksum && len(rest) != 4 || !checksum && len(rest) != 0 {
		return fail(Malformed, "the zstd frame doesn't end with its last block or checksum")
	}
	return nil
}

func littleEndian(b []byte) (n uint64) {
	for i, v := range b {
		n |= uint64(v) << (8 * i)
	}
	return n
}

// decompress decompresses a checked frame [Z-7].
func decompress(frame []byte, size int) ([]byte, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(uint64(max(maxWindow, size))))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	content, err := decoder.DecodeAll(frame, make([]byte, 0, size))
	if err != nil || len(content) != size {
		return nil, fail(Malformed, "the zstd frame is damaged, or doesn't have its declared size")
	}
	return content, nil
}
