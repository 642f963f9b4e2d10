"""Tests that the YAML in the strict YAML vectors is read as specified."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from temporal_kms.strict_yaml import StrictYamlError, parse_strict_yaml, read_regular_file

VECTORS = Path(__file__).parents[3] / "packages/vectors/files/strict-yaml.json"


@pytest.mark.parametrize(
    "vector",
    [pytest.param(entry, id=entry["name"]) for entry in json.loads(VECTORS.read_text(encoding="utf8"))["vectors"]],
)
def test_vector(vector: dict[str, Any]) -> None:
    content = bytes.fromhex(vector["bytes"]) if "bytes" in vector else vector["text"].encode()
    if "refused" in vector:
        with pytest.raises(StrictYamlError) as raised:
            parse_strict_yaml(content)
        assert vector["refused"] in str(raised.value)
    else:
        assert parse_strict_yaml(content) == vector["value"]


def test_refuses_every_truncated_file() -> None:
    whole = b"a: { b: payments-test, c: [one, two] }\nd:\n  e: f\n..."
    assert parse_strict_yaml(whole) == {"a": {"b": "payments-test", "c": ["one", "two"]}, "d": {"e": "f"}}
    for length in range(len(whole)):
        with pytest.raises(StrictYamlError):
            parse_strict_yaml(whole[:length])


# [K-9] [K-1]
def test_refuses_irregular_and_large_files_and_files_that_others_own_or_can_write(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path("/dev/zero")):
        with pytest.raises(ValueError, match="not a regular file"):
            read_regular_file(path, 100)
    (tmp_path / "shared").write_bytes(b"")
    for mode in (0o620, 0o602, 0o666):
        (tmp_path / "shared").chmod(mode)
        with pytest.raises(ValueError, match="chmod go-w"):
            read_regular_file(tmp_path / "shared", 100)
    if os.geteuid() == 0:
        (tmp_path / "shared").chmod(0o600)
        os.chown(tmp_path / "shared", 65534, 65534)
        with pytest.raises(ValueError, match="belongs to the user 65534"):
            read_regular_file(tmp_path / "shared", 100)
    (tmp_path / "large").write_bytes(bytes(101))
    with pytest.raises(ValueError, match="more than 100 bytes"):
        read_regular_file(tmp_path / "large", 100)
