"""One event loop's connection to Cloud KMS."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import grpc.aio
from google.cloud import kms_v1
from google.cloud.kms_v1.services.key_management_service.transports import (
    KeyManagementServiceGrpcAsyncIOTransport as Transport,
)

from .single_flight import SingleFlight

_OPTIONS = (
    # The maximum delay between two connection attempts, and the time limit of one attempt, in ms. With gRPC's defaults
    # of two minutes and 20 s, an outage would last longer for this process than for Cloud KMS.
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.min_reconnect_backoff_ms", 3_000),
    # Without this option, a new channel would reuse the connection of the channel that it replaces.
    ("grpc.use_local_subchannel_pool", 1),
)
REPLACE_EVERY = 3.0
"""Minimum time between two replacements of the client, in seconds."""

Client = kms_v1.KeyManagementServiceAsyncClient

# Suppress this logger, because at level DEBUG, Google's client logs requests and responses, which contain keys in
# plaintext.
logging.getLogger(Transport.__module__).addFilter(lambda _: False)


class Connection:
    """Holds Google's client, and replaces it if Cloud KMS cannot be reached through it.

    gRPC would keep a dead connection until the operating system reports an error, which can take 15 minutes, and would
    wait for up to two minutes before it resolves a name again.

    :param timeout: time limit for a call, in seconds
    """

    def __init__(self, open_client: Callable[[], Client], timeout: float) -> None:
        self._open_client = open_client
        self._timeout = timeout
        self.client = open_client()
        self.token_requests: SingleFlight[None] = SingleFlight()
        self._replace_after = 0.0
        self._closing: set[asyncio.Future[None]] = set()
        self._is_closed = False

    def note_failure(self, status: str) -> None:
        """Opens another connection for later calls, if the gRPC status suggests that the current connection has
        failed."""
        now = time.monotonic()
        if self._is_closed or now < self._replace_after or not self._may_be_lost(status):
            return
        self._replace_after = now + REPLACE_EVERY
        closing = asyncio.ensure_future(self._close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self.client = self._open_client()

    async def close(self) -> None:
        """Closes the connection once the calls in progress have ended."""
        self._is_closed = True
        await asyncio.gather(self._close(), *self._closing)

    def _channel(self) -> grpc.aio.Channel:
        transport: Any = self.client.transport
        return transport.grpc_channel

    def _close(self) -> Awaitable[None]:
        # The grace period lets calls in progress complete; without it, they would be cancelled.
        closing: Awaitable[None] = self._channel().close(self._timeout)
        return closing

    def _may_be_lost(self, status: str) -> bool:
        if status == "DEADLINE_EXCEEDED":
            return True
        state = self._channel().get_state()
        return status == "UNAVAILABLE" and state is not grpc.ChannelConnectivity.READY


def google_client(credentials: Any) -> Client:
    """Returns a client for Google's endpoint."""
    return Client(credentials=credentials, transport=_transport)


def insecure_client(target: str) -> Client:
    """Returns a client without credentials or TLS, for an emulator."""
    channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
    return Client(transport=Transport(channel=channel))


def _transport(**options: Any) -> Transport:
    return Transport(channel=_channel, **options)


def _channel(host: str, *, options: Sequence[tuple[str, Any]] = (), **others: Any) -> grpc.aio.Channel:
    return Transport.create_channel(host, options=[*options, *_OPTIONS], **others)
