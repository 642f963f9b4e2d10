"""The Cloud KMS calls that this package needs, and their implementation with Google's client."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import google_crc32c
import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import kms_v1
from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcAsyncIOTransport
from google.oauth2 import service_account
from google.rpc.error_details_pb2 import PreconditionFailure

from .access_token import default_credentials, no_token, refresh_token
from .clock import running_time
from .connection import Client, Connection, google_client, insecure_client
from .errors import KmsCodecError
from .per_loop import PerLoop

MAX_REPEATS = 3
"""Maximum number of times that a call is repeated because this process was suspended."""
STALL = 1.0
"""If a call fails more than this many seconds after its deadline, this process was suspended during the call."""

R = TypeVar("R")


@dataclass(frozen=True)
class Wrapped:
    ciphertext: bytes
    key_version: int


class KeyService(Protocol):
    """Wraps and unwraps branch keys and data keys. Implementations raise only :class:`KmsCodecError`."""

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
    """Maps a gRPC status to a reason code. Uses only the status's name, never its message.

    :param state: the key version's state, if it is known
    """
    match status:
        case "INVALID_ARGUMENT" | "OUT_OF_RANGE" if unwrapping:
            return KmsCodecError("integrity_failed", f"Cloud KMS cannot decrypt this message with {key}")
        case "INVALID_ARGUMENT" | "OUT_OF_RANGE" | "NOT_FOUND":
            return KmsCodecError(
                "key_not_found", f"Cloud KMS has no crypto key {key}, or its purpose is not encryption"
            )
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
            return KmsCodecError("kms_unavailable", f"The call to Cloud KMS for {key} failed ({status})")


class CloudKms:
    """Calls Cloud KMS through Google's asynchronous client, with a separate connection for each event loop.

    Makes one attempt per call. The callers retry, because they know how long they may wait.
    """

    def __init__(
        self, open_client: Callable[[], Client], *, credentials: Any = None, attempt_timeout: float = 3.0
    ) -> None:
        """Creates a service.

        :param open_client: returns a Google client with its own channel, for the running event loop
        :param credentials: the client's credentials. Without credentials, a refused access token looks like an outage
        """
        self._connections = PerLoop(lambda: Connection(open_client, attempt_timeout))
        # A service account with a key file needs no token request, because it signs its tokens itself.
        self._credentials = None if isinstance(credentials, service_account.Credentials) else credentials
        self._timeout = attempt_timeout

    @classmethod
    def connect(cls, emulator: str | None = None) -> "CloudKms":
        """Returns a service that uses Google's endpoint and default credentials, or an emulator.

        :param emulator: ``host:port`` on loopback
        :raises ValueError: the emulator is not on loopback, or there are no credentials
        """
        if emulator is None:
            credentials = default_credentials(KeyManagementServiceGrpcAsyncIOTransport.AUTH_SCOPES)
            return cls(lambda: google_client(credentials), credentials=credentials)
        if emulator.rsplit(":", 1)[0] not in ("localhost", "127.0.0.1", "[::1]"):
            raise ValueError(f"The KMS emulator {emulator} is not on loopback: use an address such as 127.0.0.1:9061")
        return cls(lambda: insecure_client(emulator))

    async def close(self) -> None:
        """Closes the running event loop's connection. Later calls fail with ``kms_unavailable``."""
        await self._connections.get().close()

    async def wrap(self, key: str, plaintext: bytes, aad: bytes) -> Wrapped:
        await self._get_token(key)
        request = kms_v1.EncryptRequest(
            name=key, plaintext=plaintext, plaintext_crc32c=_crc(plaintext), **_aad_fields(aad)
        )
        try:
            response = await self._attempt(lambda client: client.encrypt(request, retry=None, timeout=self._timeout))
        except Exception as error:
            raise await self._refusal(error, key, None, unwrapping=False) from None
        version = re.fullmatch(re.escape(key) + "/cryptoKeyVersions/([0-9]{1,9})", response.name)
        intact = (
            response.verified_plaintext_crc32c
            and (not aad or response.verified_additional_authenticated_data_crc32c)
            and response.ciphertext_crc32c == _crc(response.ciphertext)
        )
        if not intact or version is None:
            raise _damaged(key)
        return Wrapped(response.ciphertext, int(version[1]))

    async def unwrap(self, key: str, ciphertext: bytes, aad: bytes, key_version: int | None = None) -> bytes:
        await self._get_token(key)
        try:
            try:
                response = await self._decrypt(key, ciphertext, aad)
            except (GoogleAPICallError, grpc.RpcError) as error:
                if _status(error) != "INVALID_ARGUMENT":
                    raise
                # A checksum may have been damaged in transit, so the call is retried once with new checksums.
                response = await self._decrypt(key, ciphertext, aad)
        except Exception as error:
            raise await self._refusal(error, key, key_version, unwrapping=True) from None
        if response.plaintext_crc32c != _crc(response.plaintext):
            raise _damaged(key)
        return response.plaintext

    async def _get_token(self, key: str) -> None:
        """Gets an access token before the next call, because that call's error would not show that Google refused to
        issue the token."""
        credentials, timeout = self._credentials, self._timeout
        if credentials is None or credentials.valid:
            return
        # A thread that waits for a response cannot be ended, so later calls wait for the same thread instead of
        # starting another thread.
        refreshing = self._connections.get().token_requests.join(
            key, lambda: asyncio.to_thread(refresh_token, credentials, key, timeout)
        )
        try:
            await asyncio.wait_for(refreshing, timeout)
        except asyncio.TimeoutError:
            raise no_token(key) from None

    async def _decrypt(self, key: str, ciphertext: bytes, aad: bytes) -> kms_v1.DecryptResponse:
        request = kms_v1.DecryptRequest(
            name=key, ciphertext=ciphertext, ciphertext_crc32c=_crc(ciphertext), **_aad_fields(aad)
        )
        return await self._attempt(lambda client: client.decrypt(request, retry=None, timeout=self._timeout))

    async def _attempt(self, call: Callable[[Client], Awaitable[R]]) -> R:
        """Makes a call. If the call failed because this process or the machine was suspended, repeats the call, because
        a suspension is not an outage."""
        connection = self._connections.get()
        repeats = 0
        while True:
            started = running_time()
            try:
                return await call(connection.client)
            except (GoogleAPICallError, grpc.RpcError) as error:
                if running_time() - started < self._timeout + STALL or repeats == MAX_REPEATS:
                    connection.note_failure(_status(error))
                    raise
            repeats += 1

    async def _refusal(self, error: Exception, key: str, version: int | None, *, unwrapping: bool) -> KmsCodecError:
        status, refused = _status(error), _refused_version(error)
        state = await self._state(key, refused or version) if status == "FAILED_PRECONDITION" else None
        result = refusal(status, key, unwrapping=unwrapping, state=state)
        result.key_version = refused
        return result

    async def _state(self, key: str, version: int | None) -> str | None:
        """Looks up the key version's state, which a refusal does not always contain. Returns None if the identity may
        not read the state."""
        client = self._connections.get().client
        try:
            if version is None:
                primary = (await client.get_crypto_key(name=key, retry=None, timeout=self._timeout)).primary
                return str(primary.state.name)
            name = f"{key}/cryptoKeyVersions/{version}"
            found = await client.get_crypto_key_version(name=name, retry=None, timeout=self._timeout)
            return str(found.state.name)
        except Exception:
            return None


def _status(error: Exception) -> str:
    code = None
    if isinstance(error, GoogleAPICallError):
        code = error.grpc_status_code
    elif isinstance(error, grpc.RpcError):
        code = error.code()
    return "UNKNOWN" if code is None else str(code.name)


def _refused_version(error: Exception) -> int | None:
    """Returns the number of the key version that Cloud KMS refused because of the version's state, if the error
    contains it.

    The version in the message does not suffice, because it is only a claim of the message's author.
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
        "checksum_mismatch", f"A Cloud KMS response for {key} was damaged in transit: its checksum is wrong"
    )
