"""Tests cases that the vectors do not cover: rules with a mistake that needs a test double, and payloads that a writer
refuses."""

import asyncio
from typing import Any

import pytest
from fake_kms import FakeKms
from temporalio.api.common.v1 import Payload
from temporalio.client import ClientConfig
from temporalio.converter import DataConverter, WorkflowSerializationContext

from temporal_kms import KeyRules, KmsCodec, KmsCodecError, KmsCodecPlugin, NamespaceRule

KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/pay"
PAYLOAD = Payload(metadata={"encoding": b"binary/plain"}, data=b"secret")


def in_context(codec: KmsCodec, namespace: str, workflow_id: str | None = None) -> KmsCodec:
    return codec.with_context(WorkflowSerializationContext(namespace, workflow_id))  # type: ignore[arg-type]


def refused(code: str, work: Any) -> None:
    with pytest.raises(KmsCodecError) as raised:
        asyncio.run(work)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("namespaces", "default", "place"),
    [
        ({"a": NamespaceRule(encrypt=KEY, decrypt=(KEY + "2",))}, None, "namespaces.a.decrypt"),
        ({"a": NamespaceRule(encrypt=KEY), "b": NamespaceRule(encrypt=KEY + "2")}, None, "namespaces.b.encrypt"),
        ({"a": NamespaceRule(encrypt=KEY)}, NamespaceRule(decrypt=(KEY + "2",)), "default.decrypt"),
    ],
)
# [K-8]
def test_refuses_two_keys_with_one_id(
    monkeypatch: pytest.MonkeyPatch,
    namespaces: dict[str, NamespaceRule],
    default: NamespaceRule | None,
    place: str,
) -> None:
    KeyRules(namespaces, default)
    monkeypatch.setattr("temporal_kms.rules.key_id", lambda _: bytes(8))
    with pytest.raises(ValueError, match=place):
        KeyRules(namespaces, default)
    KeyRules({"a": NamespaceRule(encrypt=KEY), "b": NamespaceRule(encrypt=KEY)})


def test_refuses_a_denied_hash_that_is_not_in_lowercase_hex() -> None:
    with pytest.raises(ValueError, match="deny"):
        KeyRules({}, NamespaceRule(encrypt=KEY), ("AB" * 32,))


# [F-11]
def test_refuses_to_encrypt_without_a_workflow_tag_if_the_rule_requires_one() -> None:
    kms = FakeKms()
    codec = KmsCodec(KeyRules({"pay": NamespaceRule(encrypt=KEY, workflow_tag="require")}), kms, other_budget=0.0)
    refused("format_not_allowed", in_context(codec, "pay").encode([PAYLOAD]))
    assert kms.wraps == 0
    messages = asyncio.run(in_context(codec, "pay", "order-1").encode([PAYLOAD]))
    assert asyncio.run(in_context(codec, "pay").decode(messages)) == [PAYLOAD]
    refused("workflow_mismatch", in_context(codec, "pay", "order-2").decode(messages))


def test_refuses_to_encode_an_external_storage_reference_if_the_rule_refuses_plaintext() -> None:
    reference = Payload(metadata={"encoding": b"json/external-storage-reference"}, data=b"{}")
    strict = KeyRules({"pay": NamespaceRule(encrypt=KEY, plaintext="refuse"), "ship": NamespaceRule(encrypt=KEY)})
    codec = KmsCodec(strict, FakeKms(), other_budget=0.0)
    refused("format_not_allowed", in_context(codec, "pay").encode([reference]))
    assert asyncio.run(in_context(codec, "ship").encode([reference])) == [reference]


def test_configures_a_clients_codec_with_the_clients_namespace() -> None:
    kms = FakeKms()
    codec = KmsCodec(KeyRules({}, NamespaceRule(encrypt=KEY)), kms, namespace="elsewhere", other_budget=0.0)
    config: Any = {"namespace": "pay", "data_converter": DataConverter.default}
    configured = KmsCodecPlugin(codec).configure_client(ClientConfig(**config))["data_converter"].payload_codec
    assert isinstance(configured, KmsCodec)
    ours = asyncio.run(in_context(configured, "pay").encode([PAYLOAD]))
    assert asyncio.run(in_context(configured, "pay").decode(ours)) == [PAYLOAD]
    theirs = asyncio.run(in_context(configured, "ship").encode([PAYLOAD]))
    refused("namespace_mismatch", in_context(configured, "ship").decode(theirs))
