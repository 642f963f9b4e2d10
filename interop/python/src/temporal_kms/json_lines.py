"""Lets another process use payload codecs: reads one JSON request per line from stdin, and writes one JSON response
per line to stdout.

Request: ``{"id": 1, "op": "encode" | "decode", "codec": NAME, "context": {"namespace": …, "workflowId": …}, "payloads":
[{"metadata": {KEY: HEX}, "data": HEX}]}``; the context is optional.
Response: ``{"id": 1, "payloads": […]}``, or ``{"id": 1, "code": …, "message": …}`` for a KmsCodecError. On any
other error, the process exits with a traceback.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, WithSerializationContext, WorkflowSerializationContext

from .errors import KmsCodecError


def payload_from_json(value: dict[str, Any]) -> Payload:
    """Returns the payload that a request or a vector describes."""
    metadata = {key: bytes.fromhex(text) for key, text in value["metadata"].items()}
    payload = Payload(metadata=metadata, data=bytes.fromhex(value["data"]))
    for external in value.get("externalPayloads", []):
        payload.external_payloads.add(size_bytes=int(external["sizeBytes"]))
    return payload


def payload_to_json(payload: Payload) -> dict[str, Any]:
    """Returns the JSON form of a payload, with bytes as hexadecimal digits."""
    metadata = {key: value.hex() for key, value in payload.metadata.items()}
    base: dict[str, Any] = {"metadata": metadata, "data": payload.data.hex()}
    if payload.external_payloads:
        base["externalPayloads"] = [{"sizeBytes": str(external.size_bytes)} for external in payload.external_payloads]
    return base


async def answer(request: dict[str, Any], codecs: Mapping[str, PayloadCodec]) -> dict[str, Any]:
    """Returns the response to one request."""
    codec, context = codecs[request["codec"]], request.get("context")
    if context is not None and isinstance(codec, WithSerializationContext):
        # A codec server's context has no workflow id. The SDK has no class for a context without a workflow id.
        bound = WorkflowSerializationContext(context["namespace"], context.get("workflowId"))
        codec = codec.with_context(bound)
    payloads = [payload_from_json(payload) for payload in request["payloads"]]
    try:
        results = await (codec.encode(payloads) if request["op"] == "encode" else codec.decode(payloads))
    except KmsCodecError as error:
        return {"id": request["id"], "code": error.code, "message": error.message}
    return {"id": request["id"], "payloads": [payload_to_json(payload) for payload in results]}


async def serve(codecs: Mapping[str, PayloadCodec]) -> None:
    """Responds to requests in order until stdin ends."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await answer(json.loads(line), codecs)), flush=True)
