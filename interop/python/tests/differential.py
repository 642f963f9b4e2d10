"""Compares this implementation with the expectations in a file, and prints the differences.

``python tests/differential.py FILE``. The first line contains the Cloud KMS responses that all messages share. Each
further line is a vector with additional responses, or ``{"keys_file": TEXT, "rules": RULES}``, where RULES is null if
the file must be refused.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from test_keys_file import described, written
from test_vectors import VectorKms, codec_for

from temporal_kms import KmsCodecError, read_keys_file
from temporal_kms.formats import format_of
from temporal_kms.json_lines import payload_from_json


async def differs(vector: dict[str, Any]) -> str | None:
    """Returns how the outcome differs from the vector's expectation, or None if it does not differ."""
    kms = VectorKms(vector["kms"])
    stored = payload_from_json(vector["stored"])
    expected = vector["expect"]
    if format_of(stored) != vector["format"]:
        return f"the format is {format_of(stored)}"
    try:
        (decoded,) = await codec_for(vector, kms).decode([stored])
    except KmsCodecError as error:
        if error.code != expected.get("code"):
            return f"the code is {error.code}"
    else:
        if "payload" not in expected or decoded != payload_from_json(expected["payload"]):
            return f"the payload is {decoded}"
    return None if kms.asked == vector["asked"] else f"Cloud KMS was called with the keys {kms.asked}"


def keys_file_differs(folder: Path, line: dict[str, Any]) -> str | None:
    """Returns how a keys file's rules differ from the expectation, or None if they do not differ."""
    path = written(folder, line["keys_file"])
    try:
        rules: dict[str, Any] | None = described(read_keys_file(path))
    except ValueError as error:
        rules, why = None, str(error)
    else:
        why = str(rules)
    return None if rules == line["rules"] else why


async def main(path: Path) -> None:
    count = 0
    with path.open(encoding="utf-8") as lines, tempfile.TemporaryDirectory() as folder:
        kms = json.loads(next(lines))
        for text in lines:
            line = json.loads(text)
            if "keys_file" in line:
                found = keys_file_differs(Path(folder), line)
            else:
                found = await differs({**line, "kms": kms + line["kms"]})
            count += 1
            if found is not None:
                print(json.dumps({"line": line, "python": found}))
    print(f"{count} compared")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
