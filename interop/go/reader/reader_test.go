package reader

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// example returns the message of the worked example, which was encrypted for the namespace payments.
func example(t *testing.T) *message {
	var content struct{ Vectors []*message }
	read(t, vectors+"/messages/envelope-v2.json", &content)
	for _, v := range content.Vectors {
		if v.Name == "decrypts the worked example" {
			return v
		}
	}
	t.Fatal("no worked example")
	return nil
}

func expectCode(t *testing.T, err error, code Code) {
	t.Helper()
	var failed *Error
	if !errors.As(err, &failed) || failed.Code != code {
		t.Errorf("got %v, expected %s", err, code)
	}
}

// [E-13] [F-13]
func TestAsksBeforeItReadsAnotherNamespace(t *testing.T) {
	v := example(t)
	key := v.KMS.Answers[0].Key
	rules := &Rules{Namespaces: map[string]*Rule{
		"shipping": {Keys: []string{key}, Reads: []Format{EnvelopeV2}, Accepts: []string{"payments"}},
	}}
	var asked []string
	permitted := false
	r := &Reader{Rules: rules, KMS: &v.KMS, AuthorizeNamespace: func(namespace string) bool {
		asked = append(asked, namespace)
		return permitted
	}}
	at := Context{Namespace: "shipping", WorkflowID: v.Context.WorkflowID}
	_, err := r.Decode(t.Context(), at, v.Stored.payload(t))
	expectCode(t, err, NamespaceNotPermitted)
	if v.KMS.asked != nil {
		t.Error("called Cloud KMS without permission")
	}
	permitted = true
	if _, err := r.Decode(t.Context(), at, v.Stored.payload(t)); err != nil {
		t.Error(err)
	}
	if !slices.Equal(asked, []string{"payments", "payments"}) {
		t.Errorf("asked for %v", asked)
	}
}

// [F-6]
func TestReportsPlaintext(t *testing.T) {
	plain := &Payload{Data: []byte("x")}
	external := &Payload{Metadata: map[string][]byte{"encoding": []byte("json/external-storage-reference")}}
	for plaintext, expected := range map[string][]Code{"pass": nil, "report": {NotEncrypted}} {
		var reported []Code
		rules := &Rules{Default: &Rule{Plaintext: plaintext}}
		r := &Reader{Rules: rules, Report: func(code Code) { reported = append(reported, code) }}
		if _, err := r.Decode(t.Context(), Context{}, plain, external, &Payload{}); err != nil {
			t.Error(err)
		}
		if !slices.Equal(reported, expected) {
			t.Errorf("%s: reported %v", plaintext, reported)
		}
	}
}

// [L-1] [L-3]
func TestLimits(t *testing.T) {
	rules := &Rules{Default: &Rule{Plaintext: "pass"}}
	r := &Reader{Rules: rules, Limits: Limits{Stored: 3}}
	_, err := r.Decode(t.Context(), Context{}, &Payload{Data: []byte("1234")})
	expectCode(t, err, TooLarge)
	if _, err := r.Decode(t.Context(), Context{}, &Payload{Data: []byte("123")}); err != nil {
		t.Error(err)
	}

	v := example(t)
	payload := v.Stored.payload(t)
	_, sealed, err := ParseHeader(payload.Data)
	if err != nil {
		t.Fatal(err)
	}
	rule := &Rule{Keys: []string{v.KMS.Answers[0].Key}, Reads: []Format{EnvelopeV2}}
	one := &Reader{Rules: &Rules{Default: rule}, KMS: &v.KMS, Limits: Limits{Call: len(sealed) - minSealed}}
	if _, err := one.Decode(t.Context(), v.Context, payload); err != nil {
		t.Error(err)
	}
	_, err = one.Decode(t.Context(), v.Context, payload, payload)
	expectCode(t, err, TooLarge)
}

// [K-9]
func TestRefusesFilesThatOthersCanChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, []byte("default: {}\n...\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeysFile(path); err != nil {
		t.Error(err)
	}
	link := path + ".link"
	if err := errors.Join(os.Symlink(path, link), os.Chmod(path, 0o620)); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, filepath.Dir(path)} {
		if _, err := ReadKeysFile(file); err == nil {
			t.Errorf("read %s", file)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeysFile(link); err == nil {
		t.Error("followed a link")
	}
}
