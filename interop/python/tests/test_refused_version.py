"""Tests that the refused key version comes from Cloud KMS's error, because the version in a message is only a claim."""

from google.api_core.exceptions import FailedPrecondition, PermissionDenied
from google.rpc.error_details_pb2 import ErrorInfo, PreconditionFailure

from temporal_kms.kms import _refused_version

VERSION = "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/7"


def test_the_refused_version_is_the_failed_preconditions_subject() -> None:
    failure = PreconditionFailure(violations=[PreconditionFailure.Violation(type="KEY_DISABLED", subject=VERSION)])
    error = FailedPrecondition("disabled", details=[ErrorInfo(reason="x"), failure])  # type: ignore[no-untyped-call]
    assert _refused_version(error) == 7
    assert _refused_version(PermissionDenied("denied")) is None  # type: ignore[no-untyped-call]
