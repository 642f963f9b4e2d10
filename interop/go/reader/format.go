package reader

import "bytes"

// Format is the format of a payload.
type Format string

// The formats of the specification.
const (
	EnvelopeV2 Format = "envelope-v2"
	Envelope   Format = "envelope"
	Direct     Format = "direct"
	Proxy      Format = "proxy"
	Static     Format = "static"
	External   Format = "external"
	Plain      Format = "plain"
)

const (
	encodingEntry = "encoding"
	kmsKeyEntry   = "kms-key"
	wrappedEntry  = "encrypted-dek"
	keyIDEntry    = "encryption-key-id"
	proxyKeyEntry = "encryption-dek"
)

// FormatOf returns the format of a payload, judged only by its metadata [F-1].
func FormatOf(payload *Payload) Format {
	has := func(entry string) bool { _, ok := payload.Metadata[entry]; return ok }
	switch string(payload.Metadata[encodingEntry]) {
	case "binary/envelope-kms-v2":
		return EnvelopeV2
	case "binary/envelope-kms":
		return Envelope
	case "binary/gcp-kms":
		return Direct
	case "binary/encrypted":
		if has(proxyKeyEntry) {
			return Proxy
		}
		if has(keyIDEntry) {
			return Static
		}
	case "json/protobuf":
		if string(payload.Metadata["messageType"]) == "temporal.api.sdk.v1.ExternalStorageReference" {
			return External
		}
	case "json/external-storage-reference":
		return External
	}
	return Plain
}

// isEmpty reports whether a payload is empty [F-8].
func isEmpty(payload *Payload) bool {
	encoding := string(payload.Metadata[encodingEntry])
	return len(payload.Data) == 0 && (encoding == "" || encoding == "binary/null")
}

// isCompressed reports whether a payload is marked as compressed [N-8].
func isCompressed(payload *Payload) bool {
	_, proxy := payload.Metadata["compression-algorithm"]
	_, draft := payload.Metadata["compression/algorithm"]
	return draft || proxy && string(payload.Metadata[encodingEntry]) == "binary/compressed"
}

var notEncryptable = []byte(`{"message":"The failure could not be encrypted, so its message and details were not stored.","stack_trace":""}`)

// isPlaceholder reports whether a payload replaces a failure that couldn't be encrypted [N-10].
func isPlaceholder(payload *Payload) bool {
	return len(payload.Metadata) == 1 && string(payload.Metadata[encodingEntry]) == "json/plain" &&
		bytes.Equal(payload.Data, notEncryptable)
}
