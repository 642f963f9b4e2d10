"""This package's error, and the closed list of reason codes (docs/wire-formats.md)."""

from temporalio.exceptions import ApplicationError

RETRYABLE = frozenset(
    {"kms_quota", "kms_unavailable", "checksum_mismatch", "data_key_exhausted", "storage_unavailable"}
)
"""The codes of temporary failures."""

RESTORABLE = frozenset(
    {
        "key_disabled",
        "key_destroy_scheduled",
        "key_not_found",
        "key_not_allowed",
        "permission_denied",
        "namespace_not_configured",
        "format_not_allowed",
        "namespace_not_permitted",
        "layer_unreadable",
        "namespace_mismatch",
        "unsupported_version",
        "too_large",
        "storage_not_allowed",
        "storage_not_found",
    }
)
"""The codes of failures whose cause an administrator can correct; the payload is intact."""

PERMANENT = frozenset(
    {"key_destroyed", "workflow_mismatch", "integrity_failed", "malformed", "storage_altered", "event_not_found"}
)
"""The codes of failures for which a retry would give the same result."""

KEY_REFUSED = frozenset(
    {"permission_denied", "key_not_found", "key_disabled", "key_destroy_scheduled", "key_destroyed"}
)
"""The codes that mean that Cloud KMS refused a key or key version, not just one message. Another key may decrypt the
message.
"""


class KmsCodecError(ApplicationError):
    """Raised if a payload cannot be encrypted or decrypted.

    Match on ``code``, because messages may change. Messages never contain plaintext.
    """

    key_version: int | None = None
    """The key version that Cloud KMS refused because of the version's state, if Cloud KMS's error names it."""

    def __init__(self, code: str, message: str) -> None:
        assert code in RETRYABLE | RESTORABLE | PERMANENT, code
        super().__init__(message, type=f"KmsCodecError:{code}", non_retryable=code in PERMANENT)
        self.code = code

    def __reduce__(self) -> tuple[type["KmsCodecError"], tuple[str, str]]:
        # Process pools pickle errors. Without this method, a pickled error would keep only its display text.
        return KmsCodecError, (self.code, self.message)

    def bare(self) -> "KmsCodecError":
        """Returns a copy without traceback and context, because error reporters show the variables of all frames."""
        bare = KmsCodecError(self.code, self.message)
        bare.key_version = self.key_version
        if isinstance(self.__cause__, KmsCodecError):
            bare.__cause__ = self.__cause__.bare()
        return bare

    @property
    def retryable(self) -> bool:
        """Returns whether a retry can succeed although nothing was corrected in between."""
        return self.code in RETRYABLE
