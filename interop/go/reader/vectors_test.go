package reader

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"
)

const vectors = "../../../packages/vectors"

// hexBytes are bytes that JSON represents as hexadecimal digits.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type vectorPayload struct {
	Metadata         map[string]hexBytes
	Data             hexBytes
	ExternalPayloads []struct{ SizeBytes string }
}

func (v *vectorPayload) payload(t *testing.T) *Payload {
	payload := &Payload{Metadata: map[string][]byte{}, Data: v.Data}
	for key, value := range v.Metadata {
		payload.Metadata[key] = value
	}
	for _, external := range v.ExternalPayloads {
		size, err := strconv.ParseInt(external.SizeBytes, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		payload.ExternalPayloads = append(payload.ExternalPayloads, size)
	}
	return payload
}

// vectorKMS responds as a vector specifies, and records the crypto keys of the calls.
type vectorKMS struct {
	Answers []struct {
		Key, Status, State         string
		AAD, Ciphertext, Plaintext hexBytes
	}
	asked []string
}

func (k *vectorKMS) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &k.Answers) }

func (k *vectorKMS) Decrypt(_ context.Context, key string, ciphertext, aad []byte) ([]byte, error) {
	if !slices.Contains(k.asked, key) {
		k.asked = append(k.asked, key)
	}
	for _, answer := range k.Answers {
		if answer.Key != key || !bytes.Equal(answer.Ciphertext, ciphertext) || !bytes.Equal(answer.AAD, aad) {
			continue
		}
		if answer.Status != "" {
			return nil, &KMSError{answer.Status, answer.State}
		}
		return answer.Plaintext, nil
	}
	return nil, &KMSError{Status: "INVALID_ARGUMENT"}
}

func read(t *testing.T, file string, value any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type message struct {
	Name   string
	Format Format
	Keys   any
	Codec  struct {
		Namespace                          string
		MaxDecompressedBytes, MaxCallBytes int
	}
	Context Context
	KMS     vectorKMS
	Stored  vectorPayload
	Expect  struct {
		Payload *vectorPayload
		Code    Code
	}
	Asked []string
}

func TestMessages(t *testing.T) {
	files, err := filepath.Glob(vectors + "/messages/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors of messages", err)
	}
	for _, file := range files {
		var content struct{ Vectors []message }
		read(t, file, &content)
		for _, v := range content.Vectors {
			t.Run(filepath.Base(file)+"/"+v.Name, func(t *testing.T) {
				v.check(t)
			})
		}
	}
}

// check decodes the message, and compares the result and the Cloud KMS calls with the vector.
func (v *message) check(t *testing.T) {
	if format := FormatOf(v.Stored.payload(t)); format != v.Format {
		t.Errorf("format %s, expected %s", format, v.Format)
	}
	rules, err := newRules(v.Keys, func(entry tree) []byte {
		key, err := hex.DecodeString(entry.text())
		if err != nil {
			entry.fail("%v", err)
		}
		return key
	})
	if err != nil {
		t.Fatal(err)
	}
	reader := &Reader{Rules: rules, KMS: &v.KMS, Namespace: v.Codec.Namespace,
		Limits: Limits{Decompressed: v.Codec.MaxDecompressedBytes, Call: v.Codec.MaxCallBytes}}
	decoded, err := reader.Decode(t.Context(), v.Context, v.Stored.payload(t))
	var failed *Error
	switch {
	case v.Expect.Code != "":
		if !errors.As(err, &failed) || failed.Code != v.Expect.Code {
			t.Errorf("got %v, expected %s", err, v.Expect.Code)
		}
	case err != nil:
		t.Error(err)
	default:
		expectPayload(t, decoded[0], v.Expect.Payload.payload(t))
	}
	if !slices.Equal(v.KMS.asked, v.Asked) {
		t.Errorf("asked %v, expected %v", v.KMS.asked, v.Asked)
	}
}

func expectPayload(t *testing.T, got, expected *Payload) {
	if len(got.Metadata) != len(expected.Metadata) || !bytes.Equal(got.Data, expected.Data) ||
		!slices.Equal(got.ExternalPayloads, expected.ExternalPayloads) {
		t.Errorf("got %v, expected %v", got, expected)
	}
	for key, value := range expected.Metadata {
		if found, ok := got.Metadata[key]; !ok || !bytes.Equal(found, value) {
			t.Errorf("metadata %q: got %q, expected %q", key, found, value)
		}
	}
}

func TestStrictYAML(t *testing.T) {
	var content struct {
		Vectors []struct {
			Name, Text string
			Bytes      hexBytes
			Value      any
			Refused    *string
		}
	}
	read(t, vectors+"/files/strict-yaml.json", &content)
	for _, v := range content.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			value, err := ParseYAML(append([]byte(v.Text), v.Bytes...))
			if v.Refused != nil {
				if err == nil {
					t.Errorf("got %v, expected an error: %s", value, *v.Refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			expectJSON(t, value, v.Value)
		})
	}
}

// expectJSON compares values by their JSON.
func expectJSON(t *testing.T, got, expected any) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil || !reflect.DeepEqual(value, expected) {
		t.Errorf("got %s, expected %v", text, expected)
	}
}

func TestKeysFiles(t *testing.T) {
	var content struct {
		Vectors []struct {
			Name, Text string
			Files      map[string]hexBytes
			Rules      any
			Refused    *string
		}
	}
	read(t, vectors+"/files/keys-file.json", &content)
	for _, v := range content.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			folder := t.TempDir()
			write := func(name string, content []byte) string {
				path := filepath.Join(folder, name)
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			for name, content := range v.Files {
				write(name, content)
			}
			rules, err := ReadKeysFile(write("keys.yaml", []byte(v.Text)))
			if v.Refused != nil {
				if err == nil {
					t.Errorf("expected an error: %s", *v.Refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			expectJSON(t, rulesJSON(rules), v.Rules)
		})
	}
}

// rulesJSON returns rules in the form that the vectors use.
func rulesJSON(rules *Rules) any {
	namespaces := map[string]any{}
	for name, rule := range rules.Namespaces {
		namespaces[name] = ruleJSON(rule)
	}
	content := map[string]any{"namespaces": namespaces}
	if rules.Default != nil {
		content["default"] = ruleJSON(rules.Default)
	}
	var deny []string
	for digest := range rules.Deny {
		deny = append(deny, hex.EncodeToString(digest[:]))
	}
	if slices.Sort(deny); deny != nil {
		content["deny"] = deny
	}
	return content
}

func ruleJSON(rule *Rule) any {
	static := map[string]string{}
	for id, key := range rule.Static {
		static[id] = hex.EncodeToString(key)
	}
	content := map[string]any{"keys": append([]string{}, rule.Keys...), "accepts": append([]string{}, rule.Accepts...),
		"reads": slices.Sorted(slices.Values(rule.Reads)), "plaintext": rule.Plaintext, "static": static}
	if rule.Encrypt != "" {
		content["encrypt"] = rule.Encrypt
	}
	if rule.RequireWorkflowTag {
		content["workflowTag"] = "require"
	}
	return content
}

func TestStoreEntries(t *testing.T) {
	var content struct {
		Vectors []struct {
			Name, CryptoKey, Namespace, ID, Entry string
			Deny                                  []hexBytes
			KMS                                   vectorKMS
			Now                                   int64
			Expect                                struct{ Encrypts, Entry string }
		}
	}
	read(t, vectors+"/files/branch-key-entries.json", &content)
	for _, v := range content.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			if id := EntryID(v.CryptoKey, v.Namespace); id != v.ID {
				t.Errorf("id %s, expected %s", id, v.ID)
			}
			rules := &Rules{Deny: map[[32]byte]bool{}}
			for _, digest := range v.Deny {
				rules.Deny[[32]byte(digest)] = true
			}
			store := &Store{&v.KMS, v.CryptoKey, v.Namespace, rules}
			key, replaces := store.Choose(t.Context(), []byte(v.Entry), time.UnixMilli(v.Now))
			encrypts, entry := "new", "kept"
			if parsed, err := ParseEntry([]byte(v.Entry)); key != nil && err == nil {
				encrypts = "current"
				if !reflect.DeepEqual(key, parsed.Current) {
					encrypts = "next"
				}
			}
			if replaces {
				entry = "replaced"
			}
			if encrypts != v.Expect.Encrypts || entry != v.Expect.Entry {
				t.Errorf("encrypts with %s, entry %s; expected %v", encrypts, entry, v.Expect)
			}
		})
	}
}

func TestReasonCodes(t *testing.T) {
	var content struct {
		Class      map[Code]string
		KeyRefused []Code
	}
	read(t, vectors+"/files/reason-codes.json", &content)
	for code := range content.Class {
		if code.isUnusable() != slices.Contains(content.KeyRefused, code) {
			t.Errorf("%s: a key is unusable: %t", code, code.isUnusable())
		}
	}
}
