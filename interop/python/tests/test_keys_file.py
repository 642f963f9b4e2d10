"""Tests that the keys files in the vectors are read as specified."""

import json
from pathlib import Path
from typing import Any

import pytest

from temporal_kms import KeyRules, NamespaceRule, read_keys_file

VECTORS = Path(__file__).parents[3] / "packages/vectors/files/keys-file.json"
KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/payments"


def written(folder: Path, text: str, files: dict[str, str] | None = None) -> Path:
    for name, content in (files or {}).items():
        (folder / name).write_bytes(bytes.fromhex(content))
    path = folder / "keys.yaml"
    path.write_bytes(text.encode())
    return path


def described(rules: KeyRules) -> dict[str, Any]:
    namespaces = {name: _rule(rule) for name, rule in rules.namespaces.items()}
    return {
        "namespaces": namespaces,
        **({"default": _rule(rules.default)} if rules.default else {}),
        **({"deny": sorted(rules.deny)} if rules.deny else {}),
    }


def _rule(rule: NamespaceRule) -> dict[str, Any]:
    return {
        **({"encrypt": rule.encrypt} if rule.encrypt else {}),
        "keys": list(rule.keys),
        "accepts": list(rule.accepts),
        "reads": sorted(rule.reads),
        "plaintext": rule.plaintext,
        "static": {name: key.hex() for name, key in rule.static.items()},
        **({"workflowTag": rule.workflow_tag} if rule.workflow_tag else {}),
    }


@pytest.mark.parametrize(
    "vector",
    [pytest.param(entry, id=entry["name"]) for entry in json.loads(VECTORS.read_text(encoding="utf8"))["vectors"]],
)
def test_vector(vector: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path, vector["text"], vector.get("files"))
    if "refused" in vector:
        with pytest.raises(ValueError) as raised:
            read_keys_file(path)
        assert vector["refused"] in str(raised.value)
    else:
        assert described(read_keys_file(path)) == vector["rules"]


def test_refuses_every_truncated_file(tmp_path: Path) -> None:
    whole = (
        f"namespaces:\n  payments-test: {{ encrypt: {KEY}-test, accepts: [orders-old] }}\n"
        f"default:\n  encrypt: {KEY}\n..."
    )
    read_keys_file(written(tmp_path, whole))
    for length in range(len(whole)):
        with pytest.raises(ValueError):
            read_keys_file(written(tmp_path, whole[:length]))
