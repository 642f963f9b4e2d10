package reader

import (
	"crypto/sha256"
	"encoding/binary"
	"regexp"
)

const (
	flagWorkflowTag = 1 << 0
	flagCompressed  = 1 << 1
	maxWrappedKey   = 1024
	minSealed       = 12 + 16 // nonce and tag
)

// Header is the header of an envelope-v2 message [E-2]. Until a message is decrypted, an attacker may have
// chosen every field.
type Header struct {
	Compressed   bool
	KeyID        [8]byte
	KeyVersion   uint32
	NamespaceTag [16]byte
	// WorkflowTag is nil if the message has no workflow tag.
	WorkflowTag *[16]byte
	Salt        [16]byte
	Commitment  [16]byte
	WrappedKey  []byte
	// Raw is the whole header.
	Raw []byte
}

// ParseHeader splits the data of an envelope-v2 message into the header and the bytes after the header [E-8]
// [E-9].
func ParseHeader(data []byte) (*Header, []byte, error) {
	if len(data) < 2 {
		return nil, nil, fail(Malformed, "the data has fewer than two bytes")
	}
	flags := data[1]
	if data[0] != 2 || flags&^(flagWorkflowTag|flagCompressed) != 0 {
		return nil, nil, fail(UnsupportedVersion, "version %d with flags %02x", data[0], flags)
	}
	h := &Header{Compressed: flags&flagCompressed != 0}
	rest := data[2:]
	parts := [][]byte{h.KeyID[:], make([]byte, 4), h.NamespaceTag[:], h.Salt[:], h.Commitment[:], make([]byte, 2)}
	version, n := parts[1], parts[5]
	if flags&flagWorkflowTag != 0 {
		h.WorkflowTag = new([16]byte)
		parts = append(parts[:3:3], append([][]byte{h.WorkflowTag[:]}, parts[3:]...)...)
	}
	for _, part := range parts {
		if len(rest) < len(part) {
			return nil, nil, fail(Malformed, "the header is cut off")
		}
		rest = rest[copy(part, rest):]
	}
	h.KeyVersion = binary.BigEndian.Uint32(version)
	length := int(binary.BigEndian.Uint16(n))
	if h.KeyVersion == 0 || length == 0 || length > maxWrappedKey || len(rest) < length+minSealed {
		return nil, nil, fail(Malformed, "key version %d, wrapped key of %d bytes, then %d bytes", h.KeyVersion, length, len(rest))
	}
	h.WrappedKey, rest = rest[:length], rest[length:]
	h.Raw = data[:len(data)-len(rest)]
	return h, rest, nil
}

// KeyID returns the id that headers contain for a crypto key.
func KeyID(cryptoKey string) [8]byte {
	hash := sha256.Sum256([]byte(cryptoKey))
	return [8]byte(hash[:8])
}

// NamespaceTag returns the tag that headers contain for a namespace.
func NamespaceTag(namespace string) [16]byte {
	return tag("temporal-kms/v2/namespace\x00" + namespace)
}

// WorkflowTag returns the tag that headers contain for a workflow id.
func WorkflowTag(namespace, workflowID string) [16]byte {
	return tag("temporal-kms/v2/workflow\x00" + namespace + "\x00" + workflowID)
}

func tag(text string) [16]byte {
	hash := sha256.Sum256([]byte(text))
	return [16]byte(hash[:16])
}

var scheduled = regexp.MustCompile(`(?s)^(.+)-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)

// scheduleID returns the workflow id in a schedule's action, given the id of a workflow that the schedule has
// started. It returns any other id unchanged [W-1].
func scheduleID(workflowID string) string {
	if found := scheduled.FindStringSubmatch(workflowID); found != nil {
		return found[1]
	}
	return workflowID
}
