"""Tests the encryption functions that all formats share, with Project Wycheproof's AES-GCM vectors."""

import json
from pathlib import Path

import pytest

from temporal_kms import KmsCodecError
from temporal_kms.aead import decrypt, encrypt
from temporal_kms.unwrapped_key import import_data_key

PATH = Path(__file__).parents[3] / "packages/kms-codec/test/crypto/wycheproof-aes-gcm.json"
FIELDS = ("key", "iv", "aad", "msg", "ct", "tag")
VECTORS = [
    (entry["result"], {field: bytes.fromhex(entry[field]) for field in FIELDS})
    for entry in json.loads(PATH.read_text(encoding="utf8"))["vectors"]
]
AES_256 = [(result, case) for result, case in VECTORS if len(case["key"]) == 32]


@pytest.mark.parametrize(("result", "case"), [entry for entry in AES_256 if len(entry[1]["iv"]) == 12])
def test_agrees_with_wycheproof(result: str, case: dict[str, bytes]) -> None:
    key, data = import_data_key(case["key"]).data_key, case["iv"] + case["ct"] + case["tag"]
    if result == "valid":
        assert decrypt(key, data, case["aad"]) == case["msg"]
        assert decrypt(key, encrypt(key, case["msg"], case["aad"]), case["aad"]) == case["msg"]
    else:
        with pytest.raises(KmsCodecError) as raised:
            decrypt(key, data, case["aad"])
        assert raised.value.code == "integrity_failed"


def test_refuses_nonces_of_another_size() -> None:
    others = [case for _, case in AES_256 if len(case["iv"]) != 12]
    assert len(others) > 30
    for case in others:
        with pytest.raises(KmsCodecError):
            decrypt(import_data_key(case["key"]).data_key, case["iv"] + case["ct"] + case["tag"], case["aad"])


def test_refuses_data_keys_of_another_size() -> None:
    others = [case["key"] for _, case in VECTORS if len(case["key"]) != 32]
    assert {len(key) for key in others} == {16, 24}
    for key in others:
        with pytest.raises(KmsCodecError) as raised:
            import_data_key(key)
        assert raised.value.code == "malformed"
