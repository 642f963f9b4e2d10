"""Runs a Temporal worker with this package's codec, for tests: ``python -m temporal_kms_peers.worker``."""

import argparse
import asyncio
import dataclasses
import sys
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from temporal_kms import CloudKms, KmsCodec, read_keys_file


@activity.defn
async def charge(card: str) -> str:
    if card.endswith("refused"):
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


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m temporal_kms_peers.worker", description=__doc__)
    parser.add_argument("--emulator", required=True, metavar="HOST:PORT", help="Cloud KMS emulator, on loopback")
    parser.add_argument("--keys-file", required=True, type=Path, help="keys of each namespace, as for KMS_KEYS_FILE")
    parser.add_argument("--temporal", required=True, metavar="HOST:PORT", help="Temporal's frontend")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--task-queue", required=True)
    options = parser.parse_args()

    service = CloudKms.connect(options.emulator)
    codec = KmsCodec(read_keys_file(options.keys_file), service, namespace=options.namespace, bind_workflow=True)
    converter = dataclasses.replace(
        DataConverter.default,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
    client = await Client.connect(options.temporal, namespace=options.namespace, data_converter=converter)
    async with Worker(client, task_queue=options.task_queue, workflows=[Order], activities=[charge]):
        print("ready", flush=True)
        # The parent process ends this process by closing its stdin.
        await asyncio.to_thread(input_ends)
    await service.close()


def input_ends() -> None:
    """Returns when stdin ends."""
    while sys.stdin.readline():
        pass


if __name__ == "__main__":
    asyncio.run(main())
