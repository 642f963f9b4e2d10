package reader

import (
	"context"
	"encoding/binary"
)

// branchKey is an unwrapped branch key [E-3].
type branchKey struct {
	created int64
	secret  []byte
}

// unwrapBranchKey unwraps a branch key [E-14].
func unwrapBranchKey(ctx context.Context, kms KMS, cryptoKey string, namespaceTag [16]byte, wrapped []byte) (*branchKey, error) {
	aad := append([]byte("temporal-kms/v2/branch-key\x00"), namespaceTag[:]...)
	unwrapped, err := decrypt(ctx, kms, cryptoKey, wrapped, aad)
	if err != nil {
		return nil, err
	}
	if len(unwrapped) != 39 || unwrapped[0] != 1 {
		return nil, fail(Malformed, "the unwrapped bytes aren't a branch key")
	}
	created := binary.BigEndian.Uint64(append([]byte{0, 0}, unwrapped[1:7]...))
	return &branchKey{int64(created), unwrapped[7:]}, nil
}
