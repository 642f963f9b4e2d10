"""Tests the driver that refuses to store plaintext."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fake_kms import FakeKms
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)
from test_codec import RULES

from temporal_kms import KmsCodec, KmsCodecError
from temporal_kms.ciphertext_only import CiphertextOnlyDriver

PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"card 4111"')
REFERENCE = Payload(
    metadata={"encoding": b"json/protobuf", "messageType": b"temporal.api.sdk.v1.ExternalStorageReference"}
)


class MemoryDriver(StorageDriver):
    """An application's driver, which keeps payloads in a list."""

    def __init__(self) -> None:
        self.stored: list[Payload] = []

    def name(self) -> str:
        return "memory"

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        self.stored += payloads
        return [StorageDriverClaim({"at": str(len(self.stored))}) for _ in payloads]

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        return [self.stored[int(claim.claim_data["at"]) - 1] for claim in claims]


def codec_with(plaintext: str) -> KmsCodec:
    rules = replace(
        RULES, namespaces={name: replace(rule, plaintext=plaintext) for name, rule in RULES.namespaces.items()}
    )
    return KmsCodec(rules, FakeKms(), namespace="pay")


CONTEXTS = [StorageDriverStoreContext(), StorageDriverStoreContext(StorageDriverWorkflowInfo(namespace="pay"))]


@pytest.mark.parametrize("context", CONTEXTS)
async def test_stores_and_retrieves_what_the_codec_has_encrypted(context: StorageDriverStoreContext) -> None:
    codec, memory = codec_with("refuse"), MemoryDriver()
    driver = CiphertextOnlyDriver(memory, codec)
    claims = await driver.store(context, await codec.encode([PLAIN]))
    stored = await driver.retrieve(StorageDriverRetrieveContext(), claims)
    assert await codec.decode(stored) == [PLAIN]
    assert (driver.name(), driver.type()) == (memory.name(), memory.type())


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("plaintext", ["report", "refuse"])
@pytest.mark.parametrize(
    "payload",
    [
        PLAIN,
        Payload(data=b"card 4111"),
        Payload(metadata={"encoding": b"binary/encrypted"}, data=b"card 4111"),
        Payload(metadata={"encoding": b"binary/envelope-kms-v2"}, data=b"card 4111"),
        REFERENCE,
    ],
)
async def test_refuses_a_call_with_anything_else(
    context: StorageDriverStoreContext, plaintext: str, payload: Payload
) -> None:
    codec, memory = codec_with(plaintext), MemoryDriver()
    with pytest.raises(KmsCodecError) as raised:
        await CiphertextOnlyDriver(memory, codec).store(context, [*await codec.encode([PLAIN]), payload])
    assert raised.value.code == "format_not_allowed"
    assert memory.stored == []


async def test_stores_plaintext_only_if_the_rule_passes_plaintext() -> None:
    codec, memory = codec_with("pass"), MemoryDriver()
    await CiphertextOnlyDriver(memory, codec).store(CONTEXTS[1], [PLAIN])
    assert memory.stored == [PLAIN]
    other = StorageDriverStoreContext(StorageDriverWorkflowInfo(namespace="not-configured"))
    with pytest.raises(KmsCodecError):
        await CiphertextOnlyDriver(memory, codec).store(other, [PLAIN])
