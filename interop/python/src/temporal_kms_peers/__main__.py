"""For tests: lets another process use this package's and the peers' codecs with a Cloud KMS emulator (see
temporal_kms.json_lines)."""

import argparse
import asyncio
from pathlib import Path

import grpc
from google.cloud import kms
from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcTransport
from temporalio.converter import PayloadCodec

from temporal_kms import CloudKms, KmsCodec, read_keys_file
from temporal_kms.json_lines import serve

from .encrypted import ProxyCodec, SampleCodec
from .guide import DirectCodec, EnvelopeCodec


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m temporal_kms_peers", description=__doc__)
    parser.add_argument(
        "--emulator", required=True, metavar="HOST:PORT", help="gRPC address of the Cloud KMS emulator, on loopback"
    )
    parser.add_argument("--keys-file", required=True, type=Path, help="keys file, as in KMS_KEYS_FILE")
    parser.add_argument("--peer-key", required=True, help="crypto key with which the peers encrypt")
    parser.add_argument("--static-key", default="", metavar="ID=HEX", help="static key of the samples' codec")
    options = parser.parse_args()

    service = CloudKms.connect(options.emulator)
    channel = grpc.insecure_channel(options.emulator)
    client = kms.KeyManagementServiceClient(transport=KeyManagementServiceGrpcTransport(channel=channel))
    rules = read_keys_file(options.keys_file)
    key_id, _, key = options.static_key.partition("=")
    codecs: dict[str, PayloadCodec] = {
        "envelope-v2": KmsCodec(rules, service),
        "envelope-v2-zstd": KmsCodec(rules, service, compression=True),
        "envelope-v2-workflow": KmsCodec(rules, service, bind_workflow=True),
        "guide-direct": DirectCodec(client, options.peer_key),
        "guide-envelope": EnvelopeCodec(client, options.peer_key),
        "proxy": ProxyCodec(client, options.peer_key),
        "sample": SampleCodec(key_id, bytes.fromhex(key)),
    }
    try:
        await serve(codecs)
    finally:
        await service.close()


if __name__ == "__main__":
    asyncio.run(main())
