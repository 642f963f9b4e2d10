"""Gets access tokens for this identity, and distinguishes a refusal by Google from an outage."""

import json
from typing import Any

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from .errors import KmsCodecError

# The OAuth error codes (RFC 6749, 5.2, and RFC 8693, 2.2.2) that mean that a server refuses the identity.
# "invalid_request" does not mean this.
_REFUSALS = {"access_denied", "invalid_client", "invalid_grant", "invalid_target", "unauthorized_client"}


def default_credentials(scopes: tuple[str, ...]) -> Any:
    """Returns Google's default credentials.

    :raises ValueError: there are no credentials
    """
    try:
        return google.auth.default(scopes=scopes)[0]
    except GoogleAuthError:
        # Omits the original message, which may name files and network addresses.
        raise ValueError(
            "Google's credentials are not available: attach a service account, or set GOOGLE_APPLICATION_CREDENTIALS "
            "to a readable file"
        ) from None


def refresh_token(credentials: Any, key: str, timeout: float) -> None:
    """Gets a new token, and blocks the thread until it has the token.

    :param timeout: the maximum wait for a response, in seconds
    :raises KmsCodecError: ``permission_denied`` if Google refuses to issue a token, and ``kms_unavailable`` otherwise
    """
    request = _TokenRequest(timeout)
    try:
        credentials.refresh(request)
    except Exception:
        raise request.failure(key) from None


def no_token(key: str) -> KmsCodecError:
    return KmsCodecError("kms_unavailable", f"Google issued no access token for {key}")


class _TokenRequest:
    """A google-auth request that remembers the last response, because google-auth's exceptions do not always contain
    the status."""

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
            return KmsCodecError("permission_denied", f"Google refused to issue an access token for {key}")
        return no_token(key)


def _is_refusal(status: int, body: bytes) -> bool:
    """Returns whether a token endpoint, the metadata server or the IAM Credentials API refused this identity."""
    if status in (401, 403):
        return True
    try:
        content = json.loads(body)
    except ValueError:
        return False
    error = content.get("error") if isinstance(content, dict) else None
    if status == 400:
        return isinstance(error, str) and error in _REFUSALS
    # The IAM Credentials API returns this body. The metadata server also returns 404 while it starts, but with another
    # body.
    return status == 404 and isinstance(error, dict) and error.get("status") == "NOT_FOUND"
