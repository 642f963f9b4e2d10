"""The calls to Cloud KMS that this package makes, and their implementation with Google's client."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import google.auth
import google_crc32c
import grpc
import grpc.aio
from google.api_core.exceptions import GoogleAPICallError
from google.auth.transport.requests import Request
from google.cloud import kms_v1
from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcAsyncIOTransport
from google.oauth2 import service_account
from google.rpc.error_details_pb2 import PreconditionFailure

from .clock import running_time
from .errors import KmsCodecError

MAX_REPEATS = 3
"""How often a call is repeated because this process was stopped meanwhile, before its failure is reported."""
STALL = 1.0
"""Seconds by which a failure exceeds its time limit if this process was stopped."""

R = TypeVar("R")


@dataclass(frozen=True)
class Wrapped:
    ciphertext: bytes
    key_version: int


class KeyService(Protocol):
    """Wraps and unwraps branch keys and data keys. Its methods raise only :class:`KmsCodecError`."""

    async def wrap(self, key: str, plaintext: bytes, aad: bytes) -> Wrapped: ...

    async def unwrap(self, key: str, ciphertext: bytes, aad: bytes, key_version: int | None = None) -> bytes: ...


_STATES = {
    "DISABLED": "key_disabled",
    "PENDING_IMPORT": "key_disabled",
    "DESTROY_SCHEDULED": "key_destroy_scheduled",
    "DESTROYED": "key_destroyed",
    "PENDING_EXTERNAL_DESTRUCTION": "key_destroyed",
    "EXTERNAL_DESTRUCTION_FAILED": "key_destroyed",
    "PENDING_GENERATION": "kms_unavailable",
}


def refusal(status: str, key: str, *, unwrapping: bool, state: str | None = None) -> KmsCodecError:
    """Maps the name of a gRPC status to a reason code, never its text.

    :param state: the state of the key version, if it is known
    """
    match status:
        case "INVALID_ARGUMENT" | "OUT_OF_RANGE" if unwrapping:
            return KmsCodecError("integrity_failed", f"Cloud KMS cannot decrypt this message with {key}")
        case "INVALID_ARGUMENT" | "OUT_OF_RANGE" | "NOT_FOUND":
            return KmsCodecError("key_not_found", f"Cloud KMS has no crypto key {key} that encrypts")
        case "PERMISSION_DENIED" | "UNAUTHENTICATED":
            return KmsCodecError("permission_denied", f"This identity may not use {key}, or the key does not exist")
        case "RESOURCE_EXHAUSTED":
            return KmsCodecError("kms_quota", f"Cloud KMS quota exceeded for {key}")
        case "FAILED_PRECONDITION":
            return KmsCodecError(
                _STATES.get(state or "", "key_disabled"),
                f"Cloud KMS cannot use {key}: the state of its version is {state or 'unknown'}",
            )
        case _:
            return KmsCodecError("kms_unavailable", f"Cloud KMS didn't answer for {key} ({status})")


# The longest delay between two attempts to connect, and the time limit of one attempt. gRPC's defaults are two minutes
# and 20 s: an outage would last longer for this process than for Cloud KMS.
_CHANNEL_OPTIONS = (("grpc.max_reconnect_backoff_ms", 2_000), ("grpc.min_reconnect_backoff_ms", 3_000))

# OAuth's error codes (RFC 6749, 5.2, and RFC 8693, 2.2.2) that refuse an identity. "invalid_request" does not.
_TOKEN_REFUSALS = {"access_denied", "invalid_client", "invalid_grant", "invalid_target", "unauthorized_client"}


class CloudKms:
    """Google's asynchronous client; one attempt a call, since who waits knows for how long."""

    def __init__(
        self, client: kms_v1.KeyManagementServiceAsyncClient, *, credentials: Any = None, attempt_timeout: float = 3.0
    ) -> None:
        """Creates a service from a client of Google.

        :param credentials: those of the client. Without them, a refused access token looks like an outage.
        """
        self._client = client
        # A service account with a key file signs its tokens itself.
        self._credentials = None if isinstance(credentials, service_account.Credentials) else credentials
        self._timeout = attempt_timeout

    @classmethod
    def connect(cls, emulator: str | None = None) -> "CloudKms":
        """Returns a service that uses Google's endpoint and default credentials, or an emulator.

        :param emulator: ``host:port`` on loopback
        """
        if emulator is None:
            credentials, _ = google.auth.default(scopes=KeyManagementServiceGrpcAsyncIOTransport.AUTH_SCOPES)
            client = kms_v1.KeyManagementServiceAsyncClient(credentials=credentials, transport=_transport)
            return cls(client, credentials=credentials)
        if emulator.rsplit(":", 1)[0] not in ("localhost", "127.0.0.1", "[::1]"):
            raise ValueError(f"The KMS emulator {emulator} is not on loopback: use an address such as 127.0.0.1:9061")
        channel = grpc.aio.insecure_channel(emulator, options=_CHANNEL_OPTIONS)
        transport = KeyManagementServiceGrpcAsyncIOTransport(channel=channel)
        return cls(kms_v1.KeyManagementServiceAsyncClient(transport=transport))

    async def close(self) -> None:
        await self._client.transport.close()  # type: ignore[no-untyped-call]

    async def wrap(self, key: str, plaintext: bytes, aad: bytes) -> Wrapped:
        await self._get_token(key)
        request = kms_v1.EncryptRequest(
            name=key, plaintext=plaintext, plaintext_crc32c=_crc(plaintext), **_aad_fields(aad)
        )
        try:
            response = await self._repeat_after_stall(
                lambda: self._client.encrypt(request, retry=None, timeout=self._timeout)
            )
        except (GoogleAPICallError, grpc.RpcError) as error:
            raise await self._refusal(error, key, None, unwrapping=False) from None
        prefix = f"{key}/cryptoKeyVersions/"
        intact = (
            response.verified_plaintext_crc32c
            and (not aad or response.verified_additional_authenticated_data_crc32c)
            and response.ciphertext_crc32c == _crc(response.ciphertext)
            and response.name.startswith(prefix)
        )
        if not intact:
            raise _damaged(key)
        return Wrapped(response.ciphertext, int(response.name.removeprefix(prefix)))

    async def unwrap(self, key: str, ciphertext: bytes, aad: bytes, key_version: int | None = None) -> bytes:
        await self._get_token(key)
        try:
            return await self._decrypt(key, ciphertext, aad)
        except (GoogleAPICallError, grpc.RpcError) as error:
            if _status(error) != "INVALID_ARGUMENT":
                raise await self._refusal(error, key, key_version, unwrapping=True) from None
        # This status also means that a checksum was damaged on the way: try once more, with new checksums.
        try:
            return await self._decrypt(key, ciphertext, aad)
        except (GoogleAPICallError, grpc.RpcError) as error:
            raise await self._refusal(error, key, key_version, unwrapping=True) from None

    async def _get_token(self, key: str) -> None:
        """Gets an access token for the next call, whose own error would not report that Google refused it."""
        if self._credentials is None or self._credentials.valid:
            return
        request = _TokenRequest()
        try:
            await asyncio.wait_for(asyncio.to_thread(self._credentials.refresh, request), self._timeout)
        except Exception:
            raise request.failure(key) from None

    async def _decrypt(self, key: str, ciphertext: bytes, aad: bytes) -> bytes:
        request = kms_v1.DecryptRequest(
            name=key, ciphertext=ciphertext, ciphertext_crc32c=_crc(ciphertext), **_aad_fields(aad)
        )
        response = await self._repeat_after_stall(
            lambda: self._client.decrypt(request, retry=None, timeout=self._timeout)
        )
        if response.plaintext_crc32c != _crc(response.plaintext):
            raise _damaged(key)
        return response.plaintext

    async def _repeat_after_stall(self, call: Callable[[], Awaitable[R]]) -> R:
        """Makes a call again if it fails because this process or its machine was stopped: that is no outage."""
        for _ in range(MAX_REPEATS):
            started = running_time()
            try:
                return await call()
            except (GoogleAPICallError, grpc.RpcError):
                if running_time() - started < self._timeout + STALL:
                    raise
        return await call()

    async def _refusal(self, error: Exception, key: str, version: int | None, *, unwrapping: bool) -> KmsCodecError:
        status, refused = _status(error), _refused_version(error)
        state = await self._state(key, refused or version) if status == "FAILED_PRECONDITION" else None
        result = refusal(status, key, unwrapping=unwrapping, state=state)
        result.key_version = refused
        return result

    async def _state(self, key: str, version: int | None) -> str | None:
        """Returns the state of the key version if the identity may read it; a refusal does not always contain it."""
        try:
            if version is None:
                primary = (await self._client.get_crypto_key(name=key, retry=None, timeout=self._timeout)).primary
                return str(primary.state.name)
            name = f"{key}/cryptoKeyVersions/{version}"
            found = await self._client.get_crypto_key_version(name=name, retry=None, timeout=self._timeout)
            return str(found.state.name)
        except (GoogleAPICallError, grpc.RpcError):
            return None


class _TokenRequest:
    """A request of google-auth that remembers the last response: its exceptions do not always contain the status."""

    def __init__(self) -> None:
        self._request = Request()
        self._response: Any = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        self._response = None
        self._response = self._request(*args, **options)
        return self._response

    def failure(self, key: str) -> KmsCodecError:
        if self._response is not None and _refuses_token(self._response.status, self._response.data):
            return KmsCodecError("permission_denied", f"Google refuses this identity an access token for {key}")
        return KmsCodecError("kms_unavailable", f"Google issued no access token for {key}")


def _refuses_token(status: int, body: bytes) -> bool:
    """Whether a token endpoint, the metadata server or the IAM Credentials API refused this identity."""
    if status in (401, 403):
        return True
    try:
        content = json.loads(body)
    except ValueError:
        return False
    error = content.get("error") if isinstance(content, dict) else None
    if status == 400:
        return isinstance(error, str) and error in _TOKEN_REFUSALS
    # Of the IAM Credentials API. The metadata server also answers 404 while it starts.
    return status == 404 and isinstance(error, dict) and error.get("status") == "NOT_FOUND"


def _transport(**options: Any) -> KeyManagementServiceGrpcAsyncIOTransport:
    return KeyManagementServiceGrpcAsyncIOTransport(channel=_channel, **options)


def _channel(host: str, *, options: Sequence[tuple[str, Any]] = (), **others: Any) -> grpc.aio.Channel:
    every = [*options, *_CHANNEL_OPTIONS]
    return KeyManagementServiceGrpcAsyncIOTransport.create_channel(host, options=every, **others)


def _status(error: Exception) -> str:
    code = error.grpc_status_code if isinstance(error, GoogleAPICallError) else getattr(error, "code", lambda: None)()
    return "UNKNOWN" if code is None else str(code.name)


def _refused_version(error: Exception) -> int | None:
    """Returns the number of the key version that Cloud KMS refuses because of its state, if its error names it.

    The version that a message names is only a claim of its author.
    """
    for detail in error.details if isinstance(error, GoogleAPICallError) else ():
        for violation in detail.violations if isinstance(detail, PreconditionFailure) else ():
            if version := re.search("/cryptoKeyVersions/([0-9]+)$", violation.subject):
                return int(version[1])
    return None


def _crc(data: bytes) -> int:
    return int(google_crc32c.value(data))


def _aad_fields(aad: bytes) -> dict[str, object]:
    if not aad:
        return {}
    return {"additional_authenticated_data": aad, "additional_authenticated_data_crc32c": _crc(aad)}


def _damaged(key: str) -> KmsCodecError:
    return KmsCodecError(
        "checksum_mismatch", f"A response of Cloud KMS for {key} was damaged on the way: its checksum is wrong"
    )
