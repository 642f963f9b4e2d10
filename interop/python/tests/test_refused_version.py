"""The key version in an error of Cloud KMS, which a message only claims."""

from google.api_core.exceptions import FailedPrecondition, PermissionDenied
from google.rpc.error_details_pb2 import ErrorInfo, PreconditionFailure

from temporal_kms.kms import _refused_version

VERSION = "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/7"


def test_a_refused_version_is_the_subject_of_the_precondition_that_failed() -> None:
    failure = PreconditionFailure(violations=[PreconditionFailure.Violation(type="KEY_DISABLED", subject=VERSION)])
    error = FailedPrecondition("disabled", details=[ErrorInfo(reason="x"), failure])  # type: ignore[no-untyped-call]
    assert _refused_version(error) == 7
    assert _refused_version(PermissionDenied("denied")) is None  # type: ignore[no-untyped-call]
