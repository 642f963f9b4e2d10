package reader

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
)

const maxDirect = 64<<10 + 1<<10

// openEnvelopeV2 takes the steps [E-8] to [E-16].
func (c *call) openEnvelopeV2(payload *Payload) (*Payload, error) {
	header, sealed, err := ParseHeader(payload.Data)
	if err != nil {
		return nil, err
	}
	cryptoKey, err := c.checkHeader(header)
	if err != nil {
		return nil, err
	}
	branchKey, err := unwrapBranchKey(c.ctx, c.KMS, cryptoKey, header.NamespaceTag, header.WrappedKey)
	if err != nil {
		return nil, err
	}
	if err := c.reserve(len(sealed) - minSealed); err != nil {
		return nil, err
	}
	info := "temporal-kms/v2/data-key\x00" + string(header.NamespaceTag[:])
	keys, err := hkdf.Key(sha256.New, branchKey.secret, header.Salt[:], info, 48)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(keys[32:], header.Commitment[:]) != 1 {
		return nil, fail(IntegrityFailed, "the commitment differs")
	}
	plaintext, err := unseal(keys[:32], sealed, header.Raw)
	if err != nil {
		return nil, err
	}
	if header.Compressed {
		if plaintext, err = c.decompress(plaintext); err != nil {
			return nil, err
		}
	}
	return c.parse(plaintext)
}

// checkHeader takes the steps [E-10] to [E-13], and returns the crypto key.
func (c *call) checkHeader(header *Header) (string, error) {
	namespace, accepted := "", false
	for name := range c.keys {
		if NamespaceTag(name) == header.NamespaceTag {
			namespace, accepted = name, true
		}
	}
	if !accepted {
		return "", fail(NamespaceMismatch, "namespace tag %x", header.NamespaceTag)
	}
	switch found := header.WorkflowTag; {
	case found == nil && c.rule.RequireWorkflowTag:
		return "", fail(FormatNotAllowed, "the rule requires a workflow tag")
	case found == nil || c.workflowID == "":
	case *found != WorkflowTag(namespace, c.workflowID) && *found != WorkflowTag(namespace, scheduleID(c.workflowID)):
		return "", fail(WorkflowMismatch, "workflow tag %x", *found)
	}
	hasID := func(key string) bool { return KeyID(key) == header.KeyID }
	listed := slices.IndexFunc(c.keys[namespace], hasID)
	if listed < 0 || c.Rules.denies(header.WrappedKey) {
		return "", fail(KeyNotAllowed, "key id %x", header.KeyID)
	}
	if namespace != c.namespace && c.AuthorizeNamespace != nil && !c.AuthorizeNamespace(namespace) {
		return "", fail(NamespaceNotPermitted, "messages of the namespace %q", namespace)
	}
	return c.keys[namespace][listed], nil
}

// openEnvelope takes the steps [G-6] to [G-10].
func (c *call) openEnvelope(payload *Payload) (*Payload, error) {
	wrapped := payload.Metadata[wrappedEntry]
	if len(wrapped) == 0 || len(wrapped) > maxWrappedKey {
		return nil, fail(Malformed, "a wrapped data key of %d bytes", len(wrapped))
	}
	if err := checkSealed(payload.Data); err != nil {
		return nil, err
	}
	cryptoKeys, err := c.keysFor(payload)
	if err != nil {
		return nil, err
	}
	if c.Rules.denies(wrapped) {
		return nil, fail(KeyNotAllowed, "the data key is denied")
	}
	return c.openUnder(cryptoKeys, wrapped, payload.Data)
}

// keysFor returns the crypto keys that may have encrypted a message: the key that the message names, or all
// listed keys [G-2].
func (c *call) keysFor(payload *Payload) ([]string, error) {
	name := string(payload.Metadata[kmsKeyEntry])
	switch {
	case name == "" && len(c.rule.Keys) > 0:
		return c.rule.Keys, nil
	case name != "" && slices.Contains(c.rule.Keys, name):
		return []string{name}, nil
	}
	return nil, fail(KeyNotAllowed, "the crypto key %q isn't listed", name)
}

// openUnder unwraps a data key, and decrypts with it [G-9] [G-10].
func (c *call) openUnder(cryptoKeys []string, wrapped, sealed []byte) (*Payload, error) {
	dataKey, err := decryptWithAny(c.ctx, c.KMS, cryptoKeys, wrapped)
	if err != nil {
		return nil, err
	}
	if len(dataKey) != 32 || bytes.Contains(dataKey, []byte("encoding")) {
		return nil, fail(Malformed, "the unwrapped bytes aren't a data key")
	}
	return c.openSealed(dataKey, sealed)
}

func (c *call) openSealed(dataKey, sealed []byte) (*Payload, error) {
	if err := c.reserve(len(sealed) - minSealed); err != nil {
		return nil, err
	}
	plaintext, err := unseal(dataKey, sealed, nil)
	if err != nil {
		return nil, err
	}
	return c.parse(plaintext)
}

// openDirect takes the steps [D-5] to [D-9].
func (c *call) openDirect(payload *Payload) (*Payload, error) {
	if len(payload.Data) == 0 {
		return nil, fail(Malformed, "no data")
	}
	if len(payload.Data) > maxDirect {
		return nil, fail(TooLarge, "%d bytes are more than Cloud KMS returns", len(payload.Data))
	}
	cryptoKeys, err := c.keysFor(payload)
	if err != nil {
		return nil, err
	}
	if err := c.reserve(len(payload.Data)); err != nil {
		return nil, err
	}
	plaintext, err := decryptWithAny(c.ctx, c.KMS, cryptoKeys, payload.Data)
	if err != nil {
		return nil, err
	}
	mayBeKey := len(plaintext) == 32
	if len(plaintext) == 34 {
		plaintext = bytes.TrimPrefix(plaintext, []byte{0x12, 0x00})
	}
	content, err := c.parse(plaintext)
	if err != nil {
		return nil, err
	}
	if _, ok := content.Metadata[encodingEntry]; mayBeKey && !ok {
		return nil, fail(Malformed, "the plaintext could be a data key")
	}
	return content, nil
}

// openProxy takes the steps to.
func (c *call) openProxy(payload *Payload) (*Payload, error) {
	wrapped, err := decodeBase64(string(payload.Metadata[proxyKeyEntry]))
	if err != nil || len(wrapped) == 0 || len(wrapped) > maxWrappedKey {
		return nil, fail(Malformed, "the wrapped data key isn't base64 of 1 to %d bytes", maxWrappedKey)
	}
	if c.Rules.denies(wrapped) {
		return nil, fail(KeyNotAllowed, "the data key is denied")
	}
	if err := checkSealed(payload.Data); err != nil {
		return nil, err
	}
	cryptoKey := strings.TrimPrefix(string(payload.Metadata[keyIDEntry]), "gcpkms://")
	return c.openUnder([]string{cryptoKey}, wrapped, payload.Data)
}

// openStatic takes the steps [S-3] and [S-4].
func (c *call) openStatic(payload *Payload) (*Payload, error) {
	if err := checkSealed(payload.Data); err != nil {
		return nil, err
	}
	return c.openSealed(c.rule.Static[string(payload.Metadata[keyIDEntry])], payload.Data)
}

// decompress decompresses content within the limits [Z-3] to [Z-7].
func (c *call) decompress(frame []byte) ([]byte, error) {
	size, err := checkFrame(frame, cmp.Or(c.Limits.Decompressed, 16<<20))
	if err != nil {
		return nil, err
	}
	if err := c.reserve(size); err != nil {
		return nil, err
	}
	return decompress(frame, size)
}

// checkSealed checks the length of AES-256-GCM data [F-2].
func checkSealed(sealed []byte) error {
	if len(sealed) < minSealed {
		return fail(Malformed, "%d bytes are too short for AES-256-GCM", len(sealed))
	}
	return nil
}

// unseal decrypts nonce ‖ ciphertext ‖ tag with AES-256-GCM [F-2].
func unseal(key, sealed, aad []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plaintext, err := gcm.Open(nil, sealed[:12], sealed[12:], aad)
	if err != nil {
		return nil, fail(IntegrityFailed, "the message was modified, or the key is wrong")
	}
	return plaintext, nil
}
