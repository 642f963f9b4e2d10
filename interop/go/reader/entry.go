package reader

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	maxEntry  = 8 << 10
	softAge   = time.Hour
	clockSkew = 5 * time.Minute
)

// EntryID returns the id of an entry in the store of branch keys [B-1].
func EntryID(cryptoKey, namespace string) string {
	return fmt.Sprintf("%x-%x", KeyID(cryptoKey), NamespaceTag(namespace))
}

// StoredKey is a wrapped branch key in the store [B-3].
type StoredKey struct {
	Wrapped    []byte
	KeyVersion uint32
	Created    time.Time
	Proof      []byte
}

// Entry is an entry in the store of branch keys [B-2].
type Entry struct {
	Current *StoredKey
	// Next is nil if the entry has no next key.
	Next *StoredKey
}

// ErrOtherVersion is the error for an entry that a newer program wrote [B-6].
var ErrOtherVersion = errors.New("the entry has another version")

// ParseEntry parses an entry [B-2].
func ParseEntry(text []byte) (*Entry, error) {
	var content map[string]any
	if len(text) > maxEntry {
		return nil, fmt.Errorf("an entry of %d bytes", len(text))
	}
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, err
	}
	if version, ok := content["version"].(float64); ok && version != 1 {
		return nil, ErrOtherVersion
	}
	root := newTree(content)
	fields := root.fields([]string{"version", "current"}, "next")
	fields["version"].number(1) // accepts only the number 1
	entry := &Entry{Current: fields["current"].storedKey()}
	if next, ok := fields["next"]; ok {
		entry.Next = next.storedKey()
	}
	return entry, *root.err
}

func (t tree) storedKey() *StoredKey {
	fields := t.fields([]string{"wrapped", "keyVersion", "created", "proof"})
	return &StoredKey{
		Wrapped:    fields["wrapped"].base64(1, maxWrappedKey),
		KeyVersion: uint32(fields["keyVersion"].number(math.MaxUint32)),
		Created:    time.UnixMilli(fields["created"].number(1<<48 - 1)),
		Proof:      fields["proof"].base64(16, 16),
	}
}

// Store reads entries for one crypto key and namespace.
type Store struct {
	KMS       KMS
	CryptoKey string
	Namespace string
	// Rules contains the list of denied keys.
	Rules *Rules
}

// errUnusable is the error for a key that no process can use.
var errUnusable = errors.New("the stored key is unusable")

// check checks that a key may encrypt [B-7].
func (s *Store) check(ctx context.Context, key *StoredKey, now time.Time) error {
	if age := now.Sub(key.Created); s.Rules.denies(key.Wrapped) || age < -clockSkew || age >= softAge {
		return errUnusable
	}
	tag := NamespaceTag(s.Namespace)
	unwrapped, err := unwrapBranchKey(ctx, s.KMS, s.CryptoKey, tag, key.Wrapped)
	if err != nil {
		return err
	}
	version := binary.BigEndian.AppendUint32(nil, key.KeyVersion)
	info := "temporal-kms/v2/key-version\x00" + string(tag[:]) + string(version)
	proof, err := hkdf.Key(sha256.New, unwrapped.secret, nil, info, 16)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(proof, key.Proof) != 1 || unwrapped.created != key.Created.UnixMilli() {
		return errUnusable
	}
	return nil
}

// Choose returns the key that a process would encrypt with if it started at the given time, or nil if no key
// in the entry is usable [B-7] [B-8]. Choose also reports whether the process would replace the entry [B-6]
// [B-9].
func (s *Store) Choose(ctx context.Context, text []byte, now time.Time) (key *StoredKey, replaces bool) {
	entry, err := ParseEntry(text)
	if err != nil {
		return nil, err != ErrOtherVersion
	}
	currentErr := s.check(ctx, entry.Current, now)
	next, nextErr := entry.Next, errUnusable
	if next != nil && next.Created.After(entry.Current.Created) {
		nextErr = s.check(ctx, next, now)
	}
	switch {
	case othersMayUnwrap(currentErr) || othersMayUnwrap(nextErr):
		return nil, false
	case nextErr == nil && (currentErr != nil || now.Sub(next.Created) >= softAge/5):
		return next, now.Sub(next.Created) >= softAge*3/4
	case currentErr == nil:
		return entry.Current, nextErr != nil && now.Sub(entry.Current.Created) >= softAge*3/4
	}
	return nil, true
}

// othersMayUnwrap reports whether other processes may be able to unwrap a key that this process couldn't unwrap,
// because the error is temporary or concerns only this process [B-6].
func othersMayUnwrap(err error) bool {
	var failed *Error
	return errors.As(err, &failed) && slices.Contains([]Code{PermissionDenied, KMSQuota, KMSUnavailable, ChecksumMismatch}, failed.Code)
}
