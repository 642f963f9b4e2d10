"""The format ``binary/encrypted``, as the SDKs' encryption samples and Temporal's own proxy use it."""

import base64
import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from . import Kms


def _encrypt(secret: bytes, payload: Payload, metadata: dict[str, bytes]) -> Payload:
    nonce = os.urandom(12)
    data = nonce + AESGCM(secret).encrypt(nonce, payload.SerializeToString(), None)
    return Payload(metadata={"encoding": b"binary/encrypted", **metadata}, data=data)


def _decrypt(secret: bytes, payload: Payload) -> Payload:
    return Payload.FromString(AESGCM(secret).decrypt(payload.data[:12], payload.data[12:], None))


class SampleCodec(PayloadCodec):
    """The layout of https://github.com/temporalio/samples-python/tree/main/encryption, which uses a static key with an
    id."""

    def __init__(self, key_id: str, key: bytes) -> None:
        self._key_id = key_id
        self._key = key

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [_encrypt(self._key, payload, {"encryption-key-id": self._key_id.encode()}) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._decrypt(payload) for payload in payloads]

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding", b"") != b"binary/encrypted":
            return payload
        if payload.metadata.get("encryption-key-id", b"") != self._key_id.encode():
            raise ValueError("The payload names a different key id")
        return _decrypt(self._key, payload)


class ProxyCodec(PayloadCodec):
    """The layout of https://github.com/temporalio/temporal-proxy, which contains a Go CDK URL and the wrapped data key
    in base64."""

    def __init__(self, client: Kms, key_name: str) -> None:
        self._client = client
        self._key_name = key_name

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        secret = os.urandom(32)
        wrapped = self._client.encrypt(request={"name": self._key_name, "plaintext": secret}).ciphertext
        metadata = {
            "encryption-key-id": f"gcpkms://{self._key_name}".encode(),
            "encryption-dek": base64.b64encode(wrapped),
        }
        return [_encrypt(secret, payload, metadata) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise NotImplementedError("Not implemented, because no test reads this layout with the peer")
