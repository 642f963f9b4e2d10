"""Writes the reference vectors: messages from the peers, with the keys that decrypt those messages.

``python -m temporal_kms_peers.vectors`` prints the file. Nonces and data keys are new in each run. Run this program by
hand when a peer changes, and commit the output.
"""

import asyncio
import json
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec

from temporal_kms.json_lines import payload_to_json

from .encrypted import ProxyCodec, SampleCodec
from .guide import DirectCodec, EnvelopeCodec

KEY = "projects/acme/locations/global/keyRings/temporal-keys/cryptoKeys/payments"
STATIC_ID, STATIC_KEY = "test-key-id", bytes(range(32))
REQUIREMENTS = {"direct": ["D-1"], "envelope": ["G-1", "G-4"], "proxy": ["X-1"], "static": ["S-1"]}


class RecordingKms:
    """A substitute for Cloud KMS that returns opaque ciphertexts, and records the plaintext of each."""

    def __init__(self) -> None:
        self.answers: list[dict[str, str]] = []

    def encrypt(self, request: dict[str, Any]) -> SimpleNamespace:
        plaintext: bytes = request["plaintext"]
        ciphertext = bytes([0x0A, 0x24, 0x00]) + bytes(reversed(plaintext)) + len(self.answers).to_bytes(35, "big")
        self.answers.append(
            {"key": request["name"], "aad": "", "ciphertext": ciphertext.hex(), "plaintext": plaintext.hex()}
        )
        return SimpleNamespace(ciphertext=ciphertext)

    def decrypt(self, request: dict[str, Any]) -> SimpleNamespace:
        raise AssertionError("The peers only write here, so they must not decrypt")


async def vector(
    name: str, why: str, kind: str, codec: PayloadCodec, kms: RecordingKms, inner: Payload
) -> dict[str, Any]:
    (stored,) = await codec.encode([inner])
    rule: dict[str, Any] = {"encrypt": KEY, "reads": ["envelope-v2", kind]}
    if kind == "static":
        rule["static"] = {STATIC_ID: STATIC_KEY.hex()}
    return {
        "name": name,
        "why": why,
        "requirements": REQUIREMENTS[kind],
        "format": kind,
        "keys": {"namespaces": {"payments": rule}},
        "context": {"namespace": "payments"},
        "kms": kms.answers,
        "stored": payload_to_json(stored),
        "expect": {"payload": payload_to_json(inner)},
        "asked": [KEY] if kms.answers else [],
    }


def text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def main() -> None:
    (inner,) = await DataConverter.default.encode([{"order": 7, "note": "für Zoë"}])
    vectors = []
    kms = RecordingKms()
    why = "A history that the guide’s class wrote must open after the switch."
    vectors.append(await vector("the guide’s direct class", why, "direct", DirectCodec(kms, KEY), kms, inner))
    kms = RecordingKms()
    vectors.append(await vector("the guide’s envelope class", why, "envelope", EnvelopeCodec(kms, KEY), kms, inner))
    kms = RecordingKms()
    why = "A team that ran the proxy reads its history in process."
    vectors.append(await vector("the proxy’s layout", why, "proxy", ProxyCodec(kms, KEY), kms, inner))
    kms = RecordingKms()
    why = "The static key that a team started with still decrypts its first workflows."
    sample = SampleCodec(STATIC_ID, STATIC_KEY)
    vectors.append(await vector("the SDKs’ encryption sample", why, "static", sample, kms, inner))
    packages = ", ".join(f"{name} {version(name)}" for name in ("temporalio", "cryptography"))
    about = f"Messages that Python classes of the guide’s, the samples’ and the proxy’s behaviour made with {packages}."
    lines = ",\n".join(f"    {text(one)}" for one in vectors)
    print(f'{{\n  "about": {text(about)},\n  "vectors": [\n{lines}\n  ]\n}}')


if __name__ == "__main__":
    asyncio.run(main())
