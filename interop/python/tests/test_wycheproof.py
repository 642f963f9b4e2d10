"""Runs the AES-GCM vectors of Project Wycheproof through the functions that every format uses."""

import json
from pathlib import Path

import pytest

from temporal_kms import KmsCodecError
from temporal_kms.aead import data_key, open_box, seal

PATH = Path(__file__).parents[3] / "packages/kms-codec/test/vectors/files/wycheproof-aes-gcm.json"
FIELDS = ("key", "iv", "aad", "msg", "ct", "tag")
VECTORS = [
    (one["result"], {field: bytes.fromhex(one[field]) for field in FIELDS})
    for one in json.loads(PATH.read_text(encoding="utf8"))["vectors"]
]
OF_OUR_KEYS = [(result, one) for result, one in VECTORS if len(one["key"]) == 32]


@pytest.mark.parametrize(("result", "one"), [case for case in OF_OUR_KEYS if len(case[1]["iv"]) == 12])
def test_agrees_with_wycheproof(result: str, one: dict[str, bytes]) -> None:
    key, box = data_key(one["key"]), one["iv"] + one["ct"] + one["tag"]
    if result == "valid":
        assert open_box(key, box, one["aad"]) == one["msg"]
        assert open_box(key, seal(key, one["msg"], one["aad"]), one["aad"]) == one["msg"]
    else:
        with pytest.raises(KmsCodecError) as raised:
            open_box(key, box, one["aad"])
        assert raised.value.code == "integrity_failed"


def test_opens_under_no_nonce_of_another_size() -> None:
    others = [one for _, one in OF_OUR_KEYS if len(one["iv"]) != 12]
    assert len(others) > 30
    for one in others:
        with pytest.raises(KmsCodecError):
            open_box(data_key(one["key"]), one["iv"] + one["ct"] + one["tag"], one["aad"])


def test_imports_no_data_key_of_another_size() -> None:
    others = [one["key"] for _, one in VECTORS if len(one["key"]) != 32]
    assert {len(key) for key in others} == {16, 24}
    for key in others:
        with pytest.raises(KmsCodecError) as raised:
            data_key(key)
        assert raised.value.code == "malformed"
