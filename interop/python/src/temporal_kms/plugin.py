"""Adds the codec to Temporal's clients, workers and replayers."""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from temporalio.client import ClientConfig, WorkflowHistory
from temporalio.client import Plugin as ClientPlugin
from temporalio.common import HeaderCodecBehavior
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
)
from temporalio.service import ConnectConfig, ServiceClient
from temporalio.worker import Plugin as WorkerPlugin
from temporalio.worker import Replayer, ReplayerConfig, Worker, WorkerConfig, WorkflowReplayResult, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from .codec import KmsCodec
from .safe_logging import warn_of_unsafe_logging


class KmsCodecPlugin(ClientPlugin, WorkerPlugin):
    """Encrypts payloads, failures and headers: ``Client.connect(…, plugins=[KmsCodecPlugin(codec)])``.

    A worker uses its client's plugins. The plugin warns once if the worker's log may contain plaintext.

    :param codec: a ``KmsCodec``
    :param encode_headers: if false, headers stay in plaintext. Set this to false if workflows or activities also run in
        another SDK's workers and interceptors there read headers, because Temporal's TypeScript SDK does not decode
        headers
    """

    def __init__(self, codec: KmsCodec, *, encode_headers: bool = True) -> None:
        self._codec = codec
        self._headers = HeaderCodecBehavior.CODEC if encode_headers else HeaderCodecBehavior.NO_CODEC

    def name(self) -> str:
        """Returns the plugin's name."""
        return "temporal-kms.KmsCodecPlugin"

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """Sets the failure converter, the encoding of headers, and the codec for the client's namespace."""
        codec = self._codec.for_namespace(config["namespace"])
        config["data_converter"] = self._extend(config["data_converter"], codec)
        config["header_codec_behavior"] = self._headers
        return config

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Lets workflows import this package. The worker uses its client's data converter."""
        if "workflow_runner" in config:
            config["workflow_runner"] = _importing(config["workflow_runner"])
        return config

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """Sets the same options as for a client. A replayer does not know the real namespace, so the codec's own
        namespace applies."""
        config["data_converter"] = self._extend(config.get("data_converter") or DataConverter.default, self._codec)
        if "workflow_runner" in config:
            config["workflow_runner"] = _importing(config["workflow_runner"])
        config["header_codec_behavior"] = self._headers
        return config

    async def connect_service_client(
        self, config: ConnectConfig, next: Callable[[ConnectConfig], Awaitable[ServiceClient]]
    ) -> ServiceClient:
        """Connects without changes."""
        return await next(config)

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Warns if the worker's log may contain plaintext, and then runs the worker."""
        warn_of_unsafe_logging()
        await next(worker)

    def run_replayer(
        self,
        replayer: Replayer,
        histories: AsyncIterator[WorkflowHistory],
        next: Callable[
            [Replayer, AsyncIterator[WorkflowHistory]],
            AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]],
        ],
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]:
        """Replays without changes."""
        return next(replayer, histories)

    def _extend(self, converter: DataConverter, codec: KmsCodec) -> DataConverter:
        """Adds the codec and the failure converter. Keeps a custom failure converter, which must encode the common
        attributes."""
        failures = converter.failure_converter_class
        if failures is DefaultFailureConverter:
            failures = DefaultFailureConverterWithEncodedAttributes
        return dataclasses.replace(converter, payload_codec=codec, failure_converter_class=failures)


def _importing(runner: WorkflowRunner) -> WorkflowRunner:
    """Lets workflow modules import this package. The sandbox must not reload the package, because ``cryptography``
    cannot be loaded twice."""
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner
    return dataclasses.replace(runner, restrictions=runner.restrictions.with_passthrough_modules("temporal_kms"))
