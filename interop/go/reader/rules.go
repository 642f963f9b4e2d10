package reader

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Rules are the rules of a keys file.
type Rules struct {
	Namespaces map[string]*Rule
	// Default is the default rule, or nil if the file has no default.
	Default *Rule
	// Deny contains hashes of wrapped keys [F-12].
	Deny map[[sha256.Size]byte]bool
}

// Rule specifies what a namespace may read.
type Rule struct {
	// Encrypt is the crypto key that encrypts, or empty if the namespace only decrypts.
	Encrypt string
	// Keys are Encrypt and the keys under decrypt, without duplicates.
	Keys               []string
	Static             map[string][]byte
	Reads              []Format
	Plaintext          string
	Accepts            []string
	RequireWorkflowTag bool
	unsafe             bool
}

func (r *Rule) reads(formats ...Format) bool {
	return slices.ContainsFunc(formats, func(f Format) bool { return slices.Contains(r.Reads, f) })
}

// rule returns a namespace's rule, or nil [F-3].
func (r *Rules) rule(namespace string) *Rule {
	return cmp.Or(r.Namespaces[namespace], r.Default)
}

func (r *Rules) denies(wrapped []byte) bool { return r.Deny[sha256.Sum256(wrapped)] }

var hash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// newRules reads a keys file's content [K-6] to [K-8], [F-14]. readKey reads a static key from an entry.
func newRules(content any, readKey func(entry tree) []byte) (*Rules, error) {
	file := newTree(content)
	fields := file.fields(nil, "namespaces", "default", "deny")
	rules := &Rules{Namespaces: map[string]*Rule{}, Deny: map[[sha256.Size]byte]bool{}}
	if found, ok := fields["namespaces"]; ok {
		for name, rule := range found.mapping() {
			rule.checkNamespace(name)
			rules.Namespaces[name] = newRule(rule, readKey, append(ruleFields, "accepts")...)
		}
	}
	if found, ok := fields["default"]; ok {
		rules.Default = newRule(found, readKey, ruleFields...)
	}
	for _, entry := range fields["deny"].list() {
		if !hash.MatchString(entry.text()) {
			entry.fail("must be 64 lowercase hexadecimal digits")
			break
		}
		digest, _ := hex.DecodeString(entry.text())
		rules.Deny[[sha256.Size]byte(digest)] = true
	}
	if len(rules.Namespaces) == 0 && rules.Default == nil {
		file.fail("the file names neither a namespace nor a default")
	}
	rules.checkKeys(file)
	return rules, *file.err
}

var (
	ruleFields = []string{"encrypt", "decrypt", "static", "reads", "plaintext", "workflowTag", "unsafe"}
	cryptoKey  = regexp.MustCompile(
		`^projects/([A-Za-z0-9_.:-]+)(/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63})$`)
	formats = []string{string(EnvelopeV2), string(Envelope), string(Direct), string(Proxy), string(Static)}
)

func newRule(from tree, readKey func(tree) []byte, names ...string) *Rule {
	fields := from.fields(nil, names...)
	rule := &Rule{Static: map[string][]byte{}, Reads: []Format{EnvelopeV2}}
	keys := fields["decrypt"].list()
	if encrypt, ok := fields["encrypt"]; ok {
		rule.Encrypt = encrypt.text()
		keys = append([]tree{encrypt}, keys...)
	}
	for _, key := range keys {
		if !cryptoKey.MatchString(key.text()) {
			key.fail("must be a crypto key's resource name, without a version")
		}
		if !slices.Contains(rule.Keys, key.text()) {
			rule.Keys = append(rule.Keys, key.text())
		}
	}
	if static, ok := fields["static"]; ok {
		for id, entry := range static.mapping() {
			rule.Static[id] = readKey(entry)
		}
	}
	if reads, ok := fields["reads"]; ok {
		rule.Reads = nil
		for _, format := range reads.list() {
			rule.Reads = append(rule.Reads, Format(format.oneOf(formats...)))
		}
		if len(rule.Reads) == 0 {
			reads.fail("must contain a format")
		}
	}
	rule.Plaintext = fields["plaintext"].oneOf("report", "pass", "refuse")
	for _, name := range fields["accepts"].list() {
		name.checkNamespace(name.text())
		rule.Accepts = append(rule.Accepts, name.text())
	}
	_, rule.RequireWorkflowTag = fields["workflowTag"]
	fields["workflowTag"].oneOf("require")
	if rule.RequireWorkflowTag && rule.reads(Envelope, Direct, Proxy, Static) {
		from.fail("reads a format without workflow tags [F-10]")
	}
	for _, risk := range fields["unsafe"].list() {
		risk.oneOf("direct-with-envelope")
		rule.unsafe = true
	}
	return rule
}

// checkNamespace checks a namespace's name [K-7].
func (t tree) checkNamespace(name string) {
	if name == "" || strings.Contains(name, "*") || strings.TrimSpace(name) != name {
		t.fail("%q isn't a namespace's name", name)
	}
}

// checkKeys checks the requirements that concern several rules together [K-8] [F-14].
func (r *Rules) checkKeys(file tree) {
	rules := slices.Collect(maps.Values(r.Namespaces))
	if r.Default != nil {
		rules = append(rules, r.Default)
	}
	direct, ids, projects := map[string]bool{}, map[[8]byte]string{}, map[string]bool{}
	for _, rule := range rules {
		for _, key := range rule.Keys {
			parts := cryptoKey.FindStringSubmatch(key)
			if parts == nil {
				return
			}
			if cmp.Or(ids[KeyID(key)], key) != key {
				file.fail("two crypto keys have the key id of %s", key)
			}
			number := strings.Trim(parts[1], "0123456789") == ""
			if other, ok := projects[parts[2]]; ok && other != number {
				file.fail("%s is named both by its project's number and id", key)
			}
			ids[KeyID(key)], projects[parts[2]] = key, number
			direct[key] = direct[key] || rule.reads(Direct)
		}
	}
	for _, rule := range rules {
		isDirect := func(key string) bool { return direct[key] }
		if rule.reads(Envelope, Proxy) && !rule.unsafe && slices.ContainsFunc(rule.Keys, isDirect) {
			file.fail("a rule reads envelope or proxy under a crypto key that reads direct [F-14]")
		}
	}
}
