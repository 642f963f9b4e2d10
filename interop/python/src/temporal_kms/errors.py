"""The error of this package and the closed list of its reason codes (docs/wire-formats.md)."""

from temporalio.exceptions import ApplicationError

RETRYABLE = frozenset({"kms_quota", "kms_unavailable", "checksum_mismatch", "data_key_exhausted"})
"""The failure is temporary."""

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
    }
)
"""An administrator can correct the cause; the payload is intact."""

PERMANENT = frozenset({"key_destroyed", "workflow_mismatch", "integrity_failed", "malformed", "event_not_found"})
"""A retry gives the same answer."""

KEY_REFUSED = frozenset(
    {"permission_denied", "key_not_found", "key_disabled", "key_destroy_scheduled", "key_destroyed"}
)
"""Cloud KMS refuses the key or its version, whatever the message, which another key may decrypt."""


class KmsCodecError(ApplicationError):
    """The reason why a payload cannot be encrypted or decrypted.

    Match on ``code``. Messages may change; they never contain plaintext.
    """

    key_version: int | None = None
    """The key version that Cloud KMS refuses because of its state, if its error names one."""

    def __init__(self, code: str, message: str) -> None:
        assert code in RETRYABLE | RESTORABLE | PERMANENT, code
        super().__init__(message, type=f"KmsCodecError:{code}", non_retryable=code in PERMANENT)
        self.code = code

    def __reduce__(self) -> tuple[type["KmsCodecError"], tuple[str, str]]:
        # A pool of processes pickles errors, and BaseException would pass on the text for display only.
        return KmsCodecError, (self.code, self.message)

    def bare(self) -> "KmsCodecError":
        """Returns a copy without traceback and context: reporters of errors show the variables of all their frames."""
        bare = KmsCodecError(self.code, self.message)
        bare.key_version = self.key_version
        if isinstance(self.__cause__, KmsCodecError):
            bare.__cause__ = self.__cause__.bare()
        return bare

    @property
    def retryable(self) -> bool:
        """Whether a later attempt can succeed without any change."""
        return self.code in RETRYABLE
