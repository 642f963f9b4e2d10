"""For tests: a Temporal client that uses a codec server. ``python -m temporal_kms_peers.remote``

The codec implements Temporal's codec protocol over HTTP, for applications without access to the keys. The program
starts, queries and signals a workflow, and prints the results as one line of JSON.
"""

import argparse
import asyncio
import dataclasses
import json
import urllib.request
from collections.abc import Sequence

from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.client import Client
from temporalio.converter import DataConverter, PayloadCodec

TIMEOUT_SECONDS = 10


class RemoteCodec(PayloadCodec):
    """Encodes and decodes by calling ``/encode`` and ``/decode`` of the codec server at ``endpoint``."""

    def __init__(self, endpoint: str, namespace: str) -> None:
        self._endpoint = endpoint
        self._namespace = namespace

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return await asyncio.to_thread(self._request, "encode", payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return await asyncio.to_thread(self._request, "decode", payloads)

    def _request(self, operation: str, payloads: Sequence[Payload]) -> list[Payload]:
        request = urllib.request.Request(
            f"{self._endpoint}/{operation}",
            data=json_format.MessageToJson(Payloads(payloads=payloads)).encode(),
            headers={"Content-Type": "application/json", "X-Namespace": self._namespace},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return list(json_format.Parse(response.read(), Payloads()).payloads)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m temporal_kms_peers.remote", description=__doc__)
    parser.add_argument("--endpoint", required=True, metavar="URL", help="codec server")
    parser.add_argument("--temporal", required=True, metavar="HOST:PORT", help="Temporal's frontend")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--task-queue", required=True)
    parser.add_argument(
        "--workflow", required=True, help="workflow type with one argument, the query `look` and the signal `finish`"
    )
    parser.add_argument("--workflow-id", required=True)
    parser.add_argument("value", help="argument of the workflow, also used in the query's and the signal's arguments")
    options = parser.parse_args()

    codec = RemoteCodec(options.endpoint, options.namespace)
    converter = dataclasses.replace(DataConverter.default, payload_codec=codec)
    client = await Client.connect(options.temporal, namespace=options.namespace, data_converter=converter)
    handle = await client.start_workflow(
        options.workflow, options.value, id=options.workflow_id, task_queue=options.task_queue
    )
    seen = await handle.query("look", f"{options.value} asked")
    await handle.signal("finish", f"{options.value} signal")
    print(json.dumps({"query": seen, "result": await handle.result()}))


if __name__ == "__main__":
    asyncio.run(main())
