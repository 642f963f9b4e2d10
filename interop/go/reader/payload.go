package reader

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Payload is a temporal.api.common.v1.Payload.
type Payload struct {
	Metadata map[string][]byte
	Data     []byte
	// ExternalPayloads contains the field size_bytes of each external payload [P-9].
	ExternalPayloads []int64
}

// Tags of protobuf fields. A tag contains the field number and the wire type, varint or length-delimited
// [P-2].
const (
	payloadTags  = "\x0a\x12\x1a"
	entryTags    = "\x0a\x12"
	externalTags = "\x08"
)

type field struct {
	tag     byte
	varint  uint64
	content []byte
}

// fieldsOf splits a protobuf message into fields with the given tags [P-1] to [P-4].
func fieldsOf(message []byte, tags string) func(yield func(field, error) bool) {
	return func(yield func(field, error) bool) {
		for len(message) > 0 {
			f := field{tag: message[0]}
			value, n := binary.Uvarint(message[1:])
			if strings.IndexByte(tags, f.tag) < 0 || n <= 0 || n > 1 && message[n] == 0 {
				yield(f, fail(Malformed, "the plaintext has an unknown field or a long varint"))
				return
			}
			f.varint, message = value, message[1+n:]
			if tags != externalTags {
				if value > uint64(len(message)) {
					yield(f, fail(Malformed, "a field of the plaintext is cut off"))
					return
				}
				f.content, message = message[:value], message[value:]
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}

// countFields counts the top-level fields of a serialized payload [L-4].
func countFields(plaintext []byte) (count int, err error) {
	for _, err := range fieldsOf(plaintext, payloadTags) {
		if err != nil {
			return 0, err
		}
		count++
	}
	return count, nil
}

// ParsePayload parses the plaintext of a message [P-1] to [P-7].
func ParsePayload(plaintext []byte) (*Payload, error) {
	payload := &Payload{Metadata: map[string][]byte{}}
	hasData := false
	for f, err := range fieldsOf(plaintext, payloadTags) {
		if err != nil {
			return nil, err
		}
		switch f.tag {
		case 0x0a:
			entry, err := onceEach(f.content, entryTags)
			if err != nil {
				return nil, err
			}
			key := string(entry[0x0a].content)
			if _, twice := payload.Metadata[key]; twice || !utf8.ValidString(key) {
				return nil, fail(Malformed, "a metadata key occurs twice or isn't UTF-8")
			}
			payload.Metadata[key] = entry[0x12].content
		case 0x12:
			if hasData {
				return nil, fail(Malformed, "data occurs twice")
			}
			hasData, payload.Data = true, f.content
		case 0x1a:
			external, err := onceEach(f.content, externalTags)
			if err != nil {
				return nil, err
			}
			payload.ExternalPayloads = append(payload.ExternalPayloads, int64(external[0x08].varint))
		}
	}
	return payload, nil
}

// onceEach returns a message's fields, each of which must occur at most once [P-5].
func onceEach(message []byte, tags string) (map[byte]field, error) {
	found := map[byte]field{}
	for f, err := range fieldsOf(message, tags) {
		if err != nil {
			return nil, err
		}
		if _, twice := found[f.tag]; twice {
			return nil, fail(Malformed, "a field of the plaintext occurs twice")
		}
		found[f.tag] = f
	}
	return found, nil
}
