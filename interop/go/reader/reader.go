// Package reader decodes payloads that temporal-kms has encrypted. The package was written only from
// docs/wire-formats.md and packages/vectors. Ids in brackets, such as [F-1], are requirements in
// docs/wire-formats.md.
package reader

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// Reader decodes payloads.
type Reader struct {
	Rules *Rules
	KMS   KMS
	// Namespace is the namespace in the codec's configuration, or empty.
	Namespace string
	// Limits contains the reader's limits. For a limit of 0, the default applies.
	Limits Limits
	// AuthorizeNamespace decides whether the reader may read messages of another namespace [E-13]. If AuthorizeNamespace
	// is nil, the reader may read these messages.
	AuthorizeNamespace func(namespace string) bool
	// Report, unless nil, is called for stored plaintext under a rule with `plaintext: report` [F-6].
	Report func(Code)
}

// Limits are a reader's limits in bytes [L-1] to [L-3].
type Limits struct{ Stored, Decompressed, Call int }

// Context is the serialization context of a call.
type Context struct {
	Namespace string
	// WorkflowID is empty if it is unknown [W-4].
	WorkflowID string
}

const maxLayers = 4

// call decodes the payloads of one call.
type call struct {
	*Reader
	ctx        context.Context
	namespace  string
	workflowID string
	rule       *Rule
	// keys are the keys for each namespace whose envelope-v2 messages are accepted [E-10] [E-12].
	keys map[string][]string
	// left is the unused part of the call's limit, in bytes [L-3].
	left int
}

// Decode decodes the payloads of one call. If one payload cannot be decoded, the call fails.
func (r *Reader) Decode(ctx context.Context, at Context, stored ...*Payload) ([]*Payload, error) {
	c := &call{Reader: r, ctx: ctx, workflowID: at.WorkflowID, left: cmp.Or(r.Limits.Call, 128<<20)}
	if err := c.resolve(at.Namespace); err != nil {
		return nil, err
	}
	decoded := make([]*Payload, 0, len(stored))
	for _, payload := range stored {
		content, err := c.decode(payload)
		if err != nil {
			return nil, err
		}
		decoded = append(decoded, content)
	}
	return decoded, nil
}

// resolve finds the call's rule, and the namespaces whose messages the call accepts [F-3] [F-4] [E-10].
func (c *call) resolve(namespace string) error {
	c.namespace = cmp.Or(namespace, c.Reader.Namespace, "default")
	own := cmp.Or(c.Reader.Namespace, c.namespace)
	ownRule := c.Rules.rule(own)
	if c.rule = c.Rules.rule(c.namespace); c.rule == nil || ownRule == nil {
		return fail(NamespaceNotConfigured, "no rule for the namespace %q or %q", c.namespace, own)
	}
	c.keys = map[string][]string{}
	if c.Rules.Namespaces[c.namespace] == nil {
		c.rule = ownRule
	} else {
		c.accept(c.namespace, c.rule)
	}
	c.accept(own, ownRule)
	return nil
}

// accept adds a namespace, the namespaces that its rule accepts, and the keys of all these namespaces [E-12].
func (c *call) accept(namespace string, rule *Rule) {
	c.keys[namespace] = append(c.keys[namespace], rule.Keys...)
	for _, other := range rule.Accepts {
		c.keys[other] = append(c.keys[other], rule.Keys...)
		if named := c.Rules.Namespaces[other]; named != nil {
			c.keys[other] = append(c.keys[other], named.Keys...)
		}
	}
}

// decode decodes a stored payload and the layers in it [N-1] to [N-5].
func (c *call) decode(payload *Payload) (*Payload, error) {
	if limit := cmp.Or(c.Limits.Stored, 64<<20); len(payload.Data) > limit {
		return nil, fail(TooLarge, "the stored payload has %d bytes, the limit is %d", len(payload.Data), limit)
	}
	if isEmpty(payload) {
		return payload, nil
	}
	format := FormatOf(payload)
	if !c.isEncrypted(payload, format) {
		return payload, c.passes(payload, format)
	}
	if !c.rule.reads(format) {
		return nil, fail(FormatNotAllowed, "the rule doesn't read %s", format)
	}
	for layer := 1; ; layer++ {
		content, err := c.open(payload, format)
		if err != nil {
			return nil, err
		}
		payload, format = content, FormatOf(content)
		encrypted := c.isEncrypted(content, format)
		switch {
		case isCompressed(content), !encrypted && string(content.Metadata[encodingEntry]) == "binary/encrypted":
			return nil, fail(LayerUnreadable, "the content is compressed or encrypted by another codec")
		case !encrypted:
			return content, nil
		case !c.rule.reads(format), layer == maxLayers:
			return nil, fail(LayerUnreadable, "layer %d of the content is %s", layer, format)
		}
	}
}

// isEncrypted reports whether a payload has an encrypted format. A payload with the encoding binary/encrypted must
// also name a listed key [X-2] [S-2].
func (c *call) isEncrypted(payload *Payload, format Format) bool {
	id := string(payload.Metadata[keyIDEntry])
	switch format {
	case Plain, External:
		return false
	case Proxy:
		return slices.ContainsFunc(c.rule.Keys, func(key string) bool { return id == "gcpkms://"+key })
	case Static:
		return c.rule.Static[id] != nil
	}
	return true
}

// passes returns nil if the reader may return a plaintext payload unchanged, and an error otherwise [F-6] [F-7]
// [N-5] [N-10].
func (c *call) passes(payload *Payload, format Format) error {
	switch {
	case isPlaceholder(payload):
		return nil
	case c.rule.Plaintext == "refuse":
		return fail(FormatNotAllowed, "the rule refuses plaintext")
	case c.rule.Plaintext == "report" && format != External && c.Report != nil:
		c.Report(NotEncrypted)
	}
	return nil
}

// open decrypts one layer.
func (c *call) open(payload *Payload, format Format) (*Payload, error) {
	switch format {
	case EnvelopeV2:
		return c.openEnvelopeV2(payload)
	case Envelope:
		return c.openEnvelope(payload)
	case Direct:
		return c.openDirect(payload)
	case Proxy:
		return c.openProxy(payload)
	case Static:
		return c.openStatic(payload)
	}
	return nil, errors.New("unknown format " + string(format))
}

// reserve reserves a part of the call's limit [L-3].
func (c *call) reserve(bytes int) error {
	if bytes > c.left {
		return fail(TooLarge, "the call's payloads exceed its limit by %d bytes", bytes-c.left)
	}
	c.left -= bytes
	return nil
}

// parse parses a plaintext. If the plaintext has many fields, parse first reserves memory for them [L-4].
func (c *call) parse(plaintext []byte) (*Payload, error) {
	fields, err := countFields(plaintext)
	if err != nil {
		return nil, err
	}
	if fields > 16 {
		if err := c.reserve(256 * fields); err != nil {
			return nil, err
		}
	}
	return ParsePayload(plaintext)
}
