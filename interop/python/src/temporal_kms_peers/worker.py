"""For tests: runs a Temporal worker with this package's codec. ``python -m temporal_kms_peers.worker``"""

import argparse
import asyncio
import logging
import sys
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    StartActivityInput,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

with workflow.unsafe.imports_passed_through():
    from temporal_kms import (
        CloudKms,
        JsonFormatter,
        KmsCodec,
        KmsCodecPlugin,
        install_safe_logging,
        read_keys_file,
    )

#: The header that workflows send to activities.
TENANT = "tenant"
payloads = DataConverter.default.payload_converter
tenant_of_call: ContextVar[str] = ContextVar("tenant", default="none")


class Tenants(Interceptor):
    """Sends a header with every activity, and reads the header in the activity."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return ReadTenant(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return InWorkflow


class ReadTenant(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if TENANT in input.headers:
            tenant_of_call.set(payloads.from_payload(input.headers[TENANT], str))
        return await super().execute_activity(input)


class InWorkflow(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(SendTenant(outbound))


class SendTenant(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> "workflow.ActivityHandle[Any]":
        input.headers = {**input.headers, TENANT: payloads.to_payload("tenant 4111")}
        return super().start_activity(input)


@activity.defn
async def tenant() -> str:
    return tenant_of_call.get()


@activity.defn
async def charge(card: str) -> str:
    if card.endswith("refused"):
        activity.logger.error("No money for %s", card, extra={"card": card})
        raise ApplicationError(f"refused {card}", f"details of {card}", type="Refused", non_retryable=True)
    return f"charged {card}"


@workflow.defn(name="order")
class Order:
    def __init__(self) -> None:
        self._cards: list[str] = []

    @workflow.run
    async def run(self, card: str) -> list[str]:
        self._cards.append(card)
        await workflow.wait_condition(lambda: len(self._cards) > 1)
        retry = RetryPolicy(maximum_attempts=1)
        timeout = timedelta(seconds=20)
        return [
            await workflow.execute_activity(charge, card, start_to_close_timeout=timeout, retry_policy=retry)
            for card in self._cards
        ]

    @workflow.signal
    def add(self, card: str) -> None:
        self._cards.append(card)

    @workflow.query
    def cards(self) -> list[str]:
        return self._cards


@workflow.defn(name="relay")
class Relay:
    """Runs an activity on another task queue."""

    @workflow.run
    async def run(self, name: str, task_queue: str) -> str:
        result: str = await workflow.execute_activity(
            name, task_queue=task_queue, start_to_close_timeout=timedelta(seconds=20), result_type=str
        )
        return result


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m temporal_kms_peers.worker", description=__doc__)
    parser.add_argument("--emulator", required=True, metavar="HOST:PORT", help="Cloud KMS emulator, on loopback")
    parser.add_argument("--keys-file", required=True, type=Path, help="keys file, as in KMS_KEYS_FILE")
    parser.add_argument("--temporal", required=True, metavar="HOST:PORT", help="Temporal's frontend")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--task-queue", required=True)
    parser.add_argument("--log", type=Path, help="write everything that Temporal's SDK logs to this file")
    options = parser.parse_args()

    if options.log is not None:
        handler = logging.FileHandler(options.log)
        handler.setFormatter(JsonFormatter())
        logging.basicConfig(level=logging.DEBUG, handlers=[handler])
        install_safe_logging()

    service = CloudKms.connect(options.emulator)
    codec = KmsCodec(read_keys_file(options.keys_file), service, namespace=options.namespace, bind_workflow=True)
    client = await Client.connect(options.temporal, namespace=options.namespace, plugins=[KmsCodecPlugin(codec)])
    async with Worker(
        client,
        task_queue=options.task_queue,
        workflows=[Order, Relay],
        activities=[charge, tenant],
        interceptors=[Tenants()],
    ):
        print("ready", flush=True)
        # The parent process ends this process by closing stdin.
        await asyncio.to_thread(input_ends)
    await service.close()


def input_ends() -> None:
    """Returns when stdin ends."""
    while sys.stdin.readline():
        pass


if __name__ == "__main__":
    asyncio.run(main())
