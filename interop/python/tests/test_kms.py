"""Tests Cloud KMS calls through Google's client."""

import asyncio
from types import SimpleNamespace

import google_crc32c
import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.cloud import kms_v1

from temporal_kms import KmsCodecError
from temporal_kms.kms import MAX_REPEATS, CloudKms


class Channel:
    async def close(self, grace: float) -> None:
        pass


class FailingClient:
    """Replaces Google's client. The first ``failures`` calls fail after ``seconds`` seconds."""

    transport = SimpleNamespace(grpc_channel=Channel())

    def __init__(self, failures: int, seconds: float) -> None:
        self.calls = 0
        self.time = 0.0
        self._failures, self._seconds = failures, seconds

    async def decrypt(self, request: object, retry: object, timeout: float) -> kms_v1.DecryptResponse:
        self.calls += 1
        if self.calls <= self._failures:
            self.time += self._seconds
            raise DeadlineExceeded("too late")  # type: ignore[no-untyped-call]
        return kms_v1.DecryptResponse(plaintext=b"key", plaintext_crc32c=google_crc32c.value(b"key"))


def unwrap(client: FailingClient, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr("temporal_kms.kms.running_time", lambda: client.time)
    return asyncio.run(CloudKms(lambda: client).unwrap("key", b"wrapped", b""))  # type: ignore[arg-type]


def test_a_call_during_which_the_process_was_stopped_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unwrap(FailingClient(MAX_REPEATS, 3600), monkeypatch) == b"key"


@pytest.mark.parametrize(("failures", "seconds", "calls"), [(1, 3.0, 1), (100, 3600, MAX_REPEATS + 1)])
def test_any_other_failure_is_reported(
    failures: int, seconds: float, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = FailingClient(failures, seconds)
    with pytest.raises(KmsCodecError) as raised:
        unwrap(client, monkeypatch)
    assert (raised.value.code, client.calls) == ("kms_unavailable", calls)
