"""For tests: runs a workflow whose payloads Temporal's own driver stores.

``python -m temporal_kms_peers.storing_worker``
"""

import argparse
import asyncio
import dataclasses
import json
import sys
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.aws.s3driver import S3StorageDriver, S3StorageDriverClient
from temporalio.contrib.gcp.gcsdriver import GCSStorageDriver, GCSStorageDriverClient
from temporalio.converter import DataConverter, ExternalStorage, StorageDriver
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from temporal_kms import CloudKms, KmsCodec, KmsCodecPlugin, read_keys_file
    from temporal_kms.ciphertext_only import CiphertextOnlyDriver

TASK_QUEUE = "storing"


class S3(S3StorageDriverClient):
    """Calls S3 with boto3, which takes its credentials from the environment."""

    def __init__(self, endpoint: str) -> None:
        import boto3

        self._client: Any = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")

    async def put_object(self, *, bucket: str, key: str, data: bytes) -> None:
        await asyncio.to_thread(self._client.put_object, Bucket=bucket, Key=key, Body=data)

    async def object_exists(self, *, bucket: str, key: str) -> bool:
        listed = await asyncio.to_thread(self._client.list_objects_v2, Bucket=bucket, Prefix=key)
        return bool(listed["KeyCount"])

    async def get_object(self, *, bucket: str, key: str) -> bytes:
        return await asyncio.to_thread(lambda: self._client.get_object(Bucket=bucket, Key=key)["Body"].read())


class Gcs(GCSStorageDriverClient):
    """Calls the JSON API of a Cloud Storage server without authentication."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    async def put_object(self, *, bucket: str, object_name: str, data: bytes) -> None:
        await self._call(f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(object_name, '')}", data)

    async def object_exists(self, *, bucket: str, object_name: str) -> bool:
        try:
            await self._call(f"/storage/v1/b/{bucket}/o/{quote(object_name, '')}")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False
        return True

    async def get_object(self, *, bucket: str, object_name: str) -> bytes:
        return await self._call(f"/storage/v1/b/{bucket}/o/{quote(object_name, '')}?alt=media")

    async def _call(self, path: str, data: bytes | None = None) -> bytes:
        def send() -> bytes:
            with urllib.request.urlopen(self._endpoint + path, data) as response:
                content: bytes = response.read()
                return content

        return await asyncio.to_thread(send)


@activity.defn
async def echo(text: str) -> str:
    return text


@workflow.defn(name="keep")
class Keep:
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_activity(echo, text, start_to_close_timeout=timedelta(minutes=1))


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m temporal_kms_peers.storing_worker", description=__doc__)
    parser.add_argument("--emulator", required=True, metavar="HOST:PORT", help="Cloud KMS emulator, on loopback")
    parser.add_argument("--keys-file", required=True, type=Path, help="keys file, as in KMS_KEYS_FILE")
    parser.add_argument("--temporal", required=True, metavar="HOST:PORT", help="Temporal's frontend")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--store", required=True, choices=["s3", "gcs"])
    parser.add_argument("--endpoint", required=True, metavar="URL", help="the store's server")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--boto3", metavar="FOLDER", help="folder with boto3 and the packages that it needs")
    parser.add_argument("--workflow-id", required=True)
    parser.add_argument("--text", required=True, help="is repeated until the input has 3 MB")
    options = parser.parse_args()
    if options.boto3:
        sys.path.append(options.boto3)

    service = CloudKms.connect(options.emulator)
    codec = KmsCodec(read_keys_file(options.keys_file), service, namespace=options.namespace, bind_workflow=True)
    driver: StorageDriver = (
        S3StorageDriver(S3(options.endpoint), options.bucket)
        if options.store == "s3"
        else GCSStorageDriver(Gcs(options.endpoint), options.bucket)
    )
    storage = ExternalStorage(drivers=[CiphertextOnlyDriver(driver, codec)])
    client = await Client.connect(
        options.temporal,
        namespace=options.namespace,
        plugins=[KmsCodecPlugin(codec)],
        data_converter=dataclasses.replace(DataConverter.default, external_storage=storage),
    )
    text = options.text * (3_000_000 // len(options.text))
    async with Worker(client, task_queue=TASK_QUEUE, workflows=[Keep], activities=[echo]):
        result = await client.execute_workflow(Keep.run, text, id=options.workflow_id, task_queue=TASK_QUEUE)
    await service.close()
    print(json.dumps({"isSame": result == text, "length": len(result)}))


if __name__ == "__main__":
    asyncio.run(main())
