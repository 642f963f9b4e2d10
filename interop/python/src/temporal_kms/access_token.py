"""The access tokens of this identity, and whether Google refuses one."""

import json
from typing import Any

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from .errors import KmsCodecError

# OAuth's error codes (RFC 6749, 5.2, and RFC 8693, 2.2.2) that refuse an identity. "invalid_request" does not.
_REFUSALS = {"access_denied", "invalid_client", "invalid_grant", "invalid_target", "unauthorized_client"}


def default_credentials(scopes: tuple[str, ...]) -> Any:
    """Returns Google's default credentials.

    :raises ValueError: there are none
    """
    try:
        return google.auth.default(scopes=scopes)[0]
    except GoogleAuthError:
        # Without its message, which may name files and addresses.
        raise ValueError(
            "Google's credentials are not available: attach a service account, or let GOOGLE_APPLICATION_CREDENTIALS "
            "name a file that can be read"
        ) from None


def refresh_token(credentials: Any, key: str, timeout: float) -> None:
    """Gets a new token. It blocks.

    :param timeout: the longest wait for a response, in seconds
    :raises KmsCodecError: ``permission_denied`` if Google refuses one, else ``kms_unavailable``
    """
    request = _TokenRequest(timeout)
    try:
        credentials.refresh(request)
    except Exception:
        raise request.failure(key) from None


def no_token(key: str) -> KmsCodecError:
    return KmsCodecError("kms_unavailable", f"Google issued no access token for {key}")


class _TokenRequest:
    """A request of google-auth that remembers the last response: its exceptions do not always contain the status."""

    def __init__(self, timeout: float) -> None:
        self._request = Request()
        self._timeout = timeout
        self._response: Any = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        self._response = None
        self._response = self._request(*args, **options | {"timeout": self._timeout})
        return self._response

    def failure(self, key: str) -> KmsCodecError:
        if self._response is not None and _is_refusal(self._response.status, self._response.data):
            return KmsCodecError("permission_denied", f"Google refuses this identity an access token for {key}")
        return no_token(key)


def _is_refusal(status: int, body: bytes) -> bool:
    """Whether a token endpoint, the metadata server or the IAM Credentials API refused this identity."""
    if status in (401, 403):
        return True
    try:
        content = json.loads(body)
    except ValueError:
        return False
    error = content.get("error") if isinstance(content, dict) else None
    if status == 400:
        return isinstance(error, str) and error in _REFUSALS
    # Of the IAM Credentials API. The metadata server also answers 404 while it starts.
    return status == 404 and isinstance(error, dict) and error.get("status") == "NOT_FOUND"
