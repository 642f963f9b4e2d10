"""Tests Google's client and google-auth with a local token endpoint and IAM Credentials API."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from temporal_kms import CloudKms, KmsCodecError
from temporal_kms.access_token import default_credentials
from temporal_kms.connection import Transport, google_client

KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
TOKEN = (200, {"access_token": "canary", "token_type": "Bearer", "expires_in": 3600})


class Endpoint:
    """Responds according to the last part of the path. If the answer is None, does not respond until the test allows
    it."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any] | None] = {}
        self.released = threading.Event()
        answers, released = self.answers, self.released

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", "0")))
                answer = answers[self.path.replace(":", "/").rsplit("/", 1)[-1]]
                if answer is None:
                    released.wait(10)
                    return
                status, body = answer
                content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """Configures Workload Identity Federation with service account impersonation."""
    endpoint = Endpoint()
    threading.Thread(target=endpoint.server.serve_forever, daemon=True).start()
    subject, file = tmp_path / "subject", tmp_path / "federation.json"
    subject.write_text("canary")
    account = "projects/-/serviceAccounts/worker@p.iam.gserviceaccount.com"
    credentials = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{endpoint.origin}/v1/token",
        "credential_source": {"file": str(subject)},
        "service_account_impersonation_url": f"{endpoint.origin}/v1/{account}:generateAccessToken",
    }
    file.write_text(json.dumps(credentials))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    # Without GOOGLE_CLOUD_PROJECT, google-auth would request a token when it reads the file, to look up the project.
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    yield endpoint
    endpoint.released.set()
    endpoint.server.shutdown()
    endpoint.server.server_close()


def failure() -> KmsCodecError:
    async def wrap() -> None:
        service = CloudKms.connect()
        try:
            await service.wrap(KEY, bytes(32), b"")
        finally:
            await service.close()

    with pytest.raises(KmsCodecError) as caught:
        asyncio.run(wrap())
    assert "canary" not in str(caught.value)
    return caught.value


def error(status: int, reason: str) -> tuple[int, Any]:
    return status, {"error": {"code": status, "status": reason, "message": "canary"}}


@pytest.mark.parametrize(
    ("token", "account", "code"),
    [
        ((400, {"error": "invalid_grant", "error_description": "canary"}), None, "permission_denied"),
        ((400, {"error": "invalid_target"}), None, "permission_denied"),
        ((401, {"error": "invalid_client"}), None, "permission_denied"),
        ((403, "Forbidden"), None, "permission_denied"),
        (TOKEN, error(403, "PERMISSION_DENIED"), "permission_denied"),
        (TOKEN, error(404, "NOT_FOUND"), "permission_denied"),
        ((400, {"error": "invalid_request"}), None, "kms_unavailable"),
        ((400, "invalid_grant"), None, "kms_unavailable"),
        ((404, "Not Found"), None, "kms_unavailable"),
        (TOKEN, error(503, "UNAVAILABLE"), "kms_unavailable"),
    ],
)
def test_a_refused_token_is_permission_denied_not_an_outage(
    endpoint: Endpoint, token: tuple[int, Any], account: tuple[int, Any] | None, code: str
) -> None:
    endpoint.answers["token"] = token
    if account is not None:
        endpoint.answers["generateAccessToken"] = account
    assert failure().code == code


def test_a_token_endpoint_that_refuses_connections_is_an_outage(endpoint: Endpoint) -> None:
    endpoint.server.server_close()
    assert failure().code == "kms_unavailable"


async def test_a_token_endpoint_that_does_not_respond_occupies_only_one_thread(endpoint: Endpoint) -> None:
    endpoint.answers["token"] = None
    credentials = default_credentials(Transport.AUTH_SCOPES)
    service = CloudKms(lambda: google_client(credentials), credentials=credentials, attempt_timeout=0.5)
    wraps = [service.wrap(KEY, bytes(32), b"") for _ in range(50)]
    errors = await asyncio.gather(*wraps, return_exceptions=True)
    assert {error.code for error in errors if isinstance(error, KmsCodecError)} == {"kms_unavailable"}
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 5) == "free"
    await service.close()


@pytest.mark.parametrize("project", ["p", ""])
def test_missing_credentials_at_startup_are_a_configuration_error(
    endpoint: Endpoint, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a project, google-auth requests a token to look up the project.
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)
    if project:
        (tmp_path / "federation.json").unlink()
    else:
        endpoint.answers["token"] = (400, {"error": "invalid_grant", "error_description": "canary"})
    with pytest.raises(ValueError, match="credentials are not available") as caught:
        CloudKms.connect()
    assert str(tmp_path) not in str(caught.value)
