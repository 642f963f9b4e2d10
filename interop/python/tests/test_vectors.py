"""Tests that the messages in packages/vectors are decoded as specified, with one test per vector."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.converter import WorkflowSerializationContext

from temporal_kms import KeyRules, KmsCodec, KmsCodecError, NamespaceRule, Wrapped
from temporal_kms.errors import KEY_REFUSED, PERMANENT, RESTORABLE, RETRYABLE
from temporal_kms.formats import format_of
from temporal_kms.json_lines import payload_from_json
from temporal_kms.kms import refusal

FOLDER = Path(__file__).parents[3] / "packages/vectors"
VECTORS = [
    pytest.param(vector, id=f"{path.stem}: {vector['name']}")
    for path in sorted(FOLDER.glob("messages/*.json"))
    for vector in json.loads(path.read_text(encoding="utf8"))["vectors"]
]


#
def test_has_the_same_reason_codes_as_the_vectors() -> None:
    stored = json.loads((FOLDER / "files/reason-codes.json").read_text(encoding="utf8"))
    classes = {"retryable": RETRYABLE, "restorable": RESTORABLE, "permanent": PERMANENT}
    for name, codes in classes.items():
        assert codes == {code for code, group in stored["class"].items() if group == name}
    assert set(stored["keyRefused"]) == KEY_REFUSED
    for code in sorted(RETRYABLE | RESTORABLE | PERMANENT):
        assert KmsCodecError(code, "why").non_retryable == (stored["class"][code] == "permanent")


class VectorKms:
    """Returns the vector's responses, and INVALID_ARGUMENT for every other request."""

    def __init__(self, answers: list[dict[str, str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def unwrap(self, key: str, ciphertext: bytes, aad: bytes, key_version: int | None = None) -> bytes:
        if key not in self.asked:
            self.asked.append(key)
        wanted = {"key": key, "aad": aad.hex(), "ciphertext": ciphertext.hex()}
        for answer in self.answers:
            if wanted.items() <= answer.items():
                if "plaintext" in answer:
                    return bytes.fromhex(answer["plaintext"])
                raise refusal(answer["status"], key, unwrapping=True, state=answer.get("state"))
        raise refusal("INVALID_ARGUMENT", key, unwrapping=True)

    async def wrap(self, key: str, plaintext: bytes, aad: bytes) -> Wrapped:
        raise AssertionError("Decoding must not wrap a data key")


def rule(entry: dict[str, Any]) -> NamespaceRule:
    return NamespaceRule(
        encrypt=entry.get("encrypt"),
        decrypt=tuple(entry.get("decrypt", [])),
        accepts=tuple(entry.get("accepts", [])),
        reads=frozenset(entry.get("reads", ["envelope-v2"])),
        plaintext=entry.get("plaintext", "report"),
        unsafe=frozenset(entry.get("unsafe", [])),
        static={key_id: bytes.fromhex(key) for key_id, key in entry.get("static", {}).items()},
        workflow_tag=entry.get("workflowTag"),
    )


def codec_for(vector: dict[str, Any], kms: VectorKms) -> KmsCodec:
    keys, settings = vector["keys"], vector.get("codec", {})
    default = keys.get("default")
    options: dict[str, Any] = {"namespace": settings.get("namespace"), "other_budget": 0.0}
    if "maxDecompressedBytes" in settings:
        options["max_decompressed"] = settings["maxDecompressedBytes"]
    if "maxCallBytes" in settings:
        options["max_call"] = settings["maxCallBytes"]
    named = {name: rule(entry) for name, entry in keys.get("namespaces", {}).items()}
    rules = KeyRules(named, None if default is None else rule(default), tuple(keys.get("deny", [])))
    codec = KmsCodec(rules, kms, **options)
    context = vector.get("context")
    if context is None:
        return codec
    return codec.with_context(WorkflowSerializationContext(context["namespace"], context.get("workflowId")))


@pytest.mark.parametrize("vector", VECTORS)
def test_vector(vector: dict[str, Any]) -> None:
    kms = VectorKms(vector["kms"])
    stored = payload_from_json(vector["stored"])
    assert format_of(stored) == vector["format"]
    expected = vector["expect"]
    if "code" in expected:
        with pytest.raises(KmsCodecError) as raised:
            asyncio.run(codec_for(vector, kms).decode([stored]))
        assert raised.value.code == expected["code"]
    else:
        (decoded,) = asyncio.run(codec_for(vector, kms).decode([stored]))
        assert decoded == payload_from_json(expected["payload"])
    assert kms.asked == vector["asked"]


def test_finds_the_vectors() -> None:
    assert len(VECTORS) > 150
