"""For tests: runs a worker during a move from the guide's codec. ``python -m temporal_kms_peers.moving_worker``"""

import argparse
import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import grpc
    from google.cloud import kms
    from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcTransport

    from temporal_kms import MovingCodec, load_kms_codec
    from temporal_kms_peers.guide import DirectCodec, EnvelopeCodec
    from temporal_kms_peers.worker import input_ends

ONCE = RetryPolicy(maximum_attempts=1)
TIMEOUT = timedelta(seconds=20)


@activity.defn
async def pay(customer: str) -> str:
    return f"{customer} paid"


@activity.defn
async def weigh(customer: str) -> str:
    return f"weighed for {customer}"


@activity.defn
async def refund(customer: str) -> str:
    raise ApplicationError(f"no refund for {customer}", non_retryable=True)


def packing(moved: bool) -> Callable[[str], Awaitable[str]]:
    @activity.defn
    async def pack(customer: str) -> str:
        details = activity.info().heartbeat_details
        if moved:
            return f"packed for {customer} in {details[0]}"
        activity.heartbeat(f"the box of {customer}")
        raise ApplicationError(f"no tape for {customer}")

    return pack


@workflow.defn(name="order")
class Order:
    """The same workflow as ``order`` in apps/codec-server/test/moving/support/workflows.ts."""

    def __init__(self) -> None:
        self._notes: list[str] = []

    @workflow.run
    async def run(self, customer: str) -> list[str]:
        paid = await workflow.execute_activity(pay, customer, start_to_close_timeout=TIMEOUT, retry_policy=ONCE)
        weighed = await workflow.execute_local_activity(weigh, customer, start_to_close_timeout=TIMEOUT)
        retry = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=1.0)
        packing = workflow.start_activity("pack", customer, start_to_close_timeout=TIMEOUT, retry_policy=retry)
        await workflow.wait_condition(lambda: len(self._notes) > 1)
        packed: str = await packing
        shipped = "not shipped"
        if workflow.patched("ship-parcels"):
            shipped = await workflow.execute_child_workflow(Shipment.run, customer)
        try:
            refused = await workflow.execute_activity(
                refund, customer, start_to_close_timeout=TIMEOUT, retry_policy=ONCE
            )
        except ActivityError as error:
            refused = str(error.cause).removeprefix("ApplicationError: ")
        return [paid, weighed, packed, *self._notes, shipped, refused]

    @workflow.signal(name="addNote")
    def add_note(self, note: str) -> None:
        self._notes.append(note)

    @workflow.query
    def notes(self) -> list[str]:
        return self._notes


@workflow.defn(name="shipment")
class Shipment:
    @workflow.run
    async def run(self, customer: str) -> str:
        return f"shipped to {customer}"


def guide_codec(name: str, key: str, emulator: str) -> PayloadCodec:
    transport = KeyManagementServiceGrpcTransport(channel=grpc.insecure_channel(emulator))
    client = kms.KeyManagementServiceClient(transport=transport)
    return DirectCodec(client, key) if name == "direct" else EnvelopeCodec(client, key)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m temporal_kms_peers.moving_worker", description=__doc__)
    parser.add_argument(
        "--step", required=True, choices=["before", "readers", "writers"], help="step of the move, as in docs/moving.md"
    )
    parser.add_argument("--moved", action="store_true", help="let the activity that packs parcels succeed")
    parser.add_argument("--format", required=True, choices=["direct", "envelope"], help="format of the guide's codec")
    parser.add_argument("--key", required=True, help="crypto key of the guide's codec")
    parser.add_argument("--emulator", required=True, metavar="HOST:PORT", help="Cloud KMS emulator, on loopback")
    parser.add_argument("--temporal", required=True, metavar="HOST:PORT", help="Temporal's frontend")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--task-queue", required=True)
    options = parser.parse_args()

    earlier = guide_codec(options.format, options.key, options.emulator)
    converter = DataConverter.default
    if options.step == "before":
        converter = dataclasses.replace(converter, payload_codec=earlier)
    elif options.step == "readers":
        moving = MovingCodec(load_kms_codec(), earlier, decode_only=True)
        converter = dataclasses.replace(converter, payload_codec=moving)
    else:
        converter = dataclasses.replace(
            converter,
            payload_codec=load_kms_codec(),
            failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
        )
    client = await Client.connect(options.temporal, namespace=options.namespace, data_converter=converter)
    async with Worker(
        client,
        task_queue=options.task_queue,
        workflows=[Order, Shipment],
        activities=[pay, weigh, refund, packing(options.moved)],
        max_cached_workflows=0,
    ):
        print("ready", flush=True)
        # The parent process ends this process by closing stdin.
        await asyncio.to_thread(input_ends)


if __name__ == "__main__":
    asyncio.run(main())
