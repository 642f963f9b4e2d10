package reader

import (
	"context"
	"errors"
)

// KMS is the part of Cloud KMS that a reader needs.
type KMS interface {
	// Decrypt decrypts with a crypto key. Cloud KMS determines the key version from the ciphertext. The
	// implementation checks CRC32C checksums, and returns a *KMSError, or an *Error such as ChecksumMismatch.
	Decrypt(ctx context.Context, cryptoKey string, ciphertext, aad []byte) ([]byte, error)
}

// KMSError is an error of Cloud KMS.
type KMSError struct {
	// Status is the name of the gRPC status, such as NOT_FOUND.
	Status string
	// State is the state of the key version after FAILED_PRECONDITION, if the state could be looked up.
	State string
}

func (e *KMSError) Error() string { return e.Status + " " + e.State }

// code returns the reason code for the error.
func (e *KMSError) code() Code {
	switch e.Status {
	case "INVALID_ARGUMENT", "OUT_OF_RANGE":
		return IntegrityFailed
	case "NOT_FOUND":
		return KeyNotFound
	case "PERMISSION_DENIED", "UNAUTHENTICATED":
		return PermissionDenied
	case "RESOURCE_EXHAUSTED":
		return KMSQuota
	case "FAILED_PRECONDITION":
	default:
		return KMSUnavailable
	}
	switch e.State {
	case "DESTROY_SCHEDULED":
		return KeyDestroyScheduled
	case "DESTROYED", "PENDING_EXTERNAL_DESTRUCTION", "EXTERNAL_DESTRUCTION_FAILED":
		return KeyDestroyed
	case "PENDING_GENERATION":
		return KMSUnavailable
	default:
		return KeyDisabled
	}
}

func decrypt(ctx context.Context, kms KMS, cryptoKey string, ciphertext, aad []byte) ([]byte, error) {
	plaintext, err := kms.Decrypt(ctx, cryptoKey, ciphertext, aad)
	var refused *KMSError
	var coded *Error
	switch {
	case err == nil, errors.As(err, &coded):
		return plaintext, err
	case errors.As(err, &refused):
		return nil, fail(refused.code(), "Cloud KMS: %v, crypto key %s", err, cryptoKey)
	default:
		return nil, fail(KMSUnavailable, "Cloud KMS: %v, crypto key %s", err, cryptoKey)
	}
}

// isUnusable reports whether a code means that a key can't be used [G-3].
func (c Code) isUnusable() bool {
	switch c {
	case KeyNotFound, PermissionDenied, KeyDisabled, KeyDestroyScheduled, KeyDestroyed:
		return true
	}
	return false
}

// decryptWithAny tries the keys in order [G-3].
func decryptWithAny(ctx context.Context, kms KMS, cryptoKeys []string, ciphertext []byte) ([]byte, error) {
	var unusable error
	for _, cryptoKey := range cryptoKeys {
		plaintext, err := decrypt(ctx, kms, cryptoKey, ciphertext, nil)
		var failed *Error
		if !errors.As(err, &failed) {
			return plaintext, nil
		}
		switch {
		case failed.Code == IntegrityFailed:
		case !failed.Code.isUnusable():
			return nil, err
		case unusable == nil:
			unusable = err
		}
	}
	if unusable != nil {
		return nil, unusable
	}
	return nil, fail(IntegrityFailed, "none of the crypto keys decrypts the Cloud KMS ciphertext")
}
