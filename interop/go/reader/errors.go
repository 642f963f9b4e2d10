package reader

import "fmt"

// Code is a reason code.
type Code string

// The codes that this reader and its KMS report.
const (
	ChecksumMismatch       Code = "checksum_mismatch"
	FormatNotAllowed       Code = "format_not_allowed"
	IntegrityFailed        Code = "integrity_failed"
	KeyDestroyed           Code = "key_destroyed"
	KeyDestroyScheduled    Code = "key_destroy_scheduled"
	KeyDisabled            Code = "key_disabled"
	KeyNotAllowed          Code = "key_not_allowed"
	KeyNotFound            Code = "key_not_found"
	KMSQuota               Code = "kms_quota"
	KMSUnavailable         Code = "kms_unavailable"
	LayerUnreadable        Code = "layer_unreadable"
	Malformed              Code = "malformed"
	NamespaceMismatch      Code = "namespace_mismatch"
	NamespaceNotConfigured Code = "namespace_not_configured"
	NamespaceNotPermitted  Code = "namespace_not_permitted"
	NotEncrypted           Code = "not_encrypted"
	PermissionDenied       Code = "permission_denied"
	TooLarge               Code = "too_large"
	UnsupportedVersion     Code = "unsupported_version"
	WorkflowMismatch       Code = "workflow_mismatch"
)

// Error explains why a payload can't be read. An Error contains no plaintext and no key bytes.
type Error struct {
	Code   Code
	Detail string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Detail }

func fail(code Code, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}
