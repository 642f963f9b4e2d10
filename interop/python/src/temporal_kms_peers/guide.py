"""The guide's two codecs, which teams that followed the guide run in production."""

import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from . import Kms


class DirectCodec(PayloadCodec):
    """``binary/gcp-kms``, with one Cloud KMS call per payload."""

    def __init__(self, client: Kms, key_name: str) -> None:
        self._client = client
        self._key_name = key_name

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        answer = self._client.encrypt(request={"name": self._key_name, "plaintext": payload.SerializeToString()})
        metadata = {"encoding": b"binary/gcp-kms", "kms-key": self._key_name.encode()}
        return Payload(metadata=metadata, data=answer.ciphertext)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding", b"") != b"binary/gcp-kms":
            return payload
        answer = self._client.decrypt(request={"name": self._key_name, "ciphertext": payload.data})
        return Payload.FromString(answer.plaintext)


class EnvelopeCodec(PayloadCodec):
    """``binary/envelope-kms``, with a new data key for each call of encode, and without additional authenticated data
    or a key name."""

    def __init__(self, client: Kms, key_name: str) -> None:
        self._client = client
        self._key_name = key_name

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        secret = os.urandom(32)
        wrapped = self._client.encrypt(request={"name": self._key_name, "plaintext": secret}).ciphertext
        return [self._encrypt(AESGCM(secret), wrapped, payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, cipher: AESGCM, wrapped: bytes, payload: Payload) -> Payload:
        nonce = os.urandom(12)
        data = nonce + cipher.encrypt(nonce, payload.SerializeToString(), None)
        return Payload(metadata={"encoding": b"binary/envelope-kms", "encrypted-dek": wrapped}, data=data)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding", b"") != b"binary/envelope-kms":
            return payload
        wrapped = payload.metadata["encrypted-dek"]
        secret = self._client.decrypt(request={"name": self._key_name, "ciphertext": wrapped}).plaintext
        return Payload.FromString(AESGCM(secret).decrypt(payload.data[:12], payload.data[12:], None))
