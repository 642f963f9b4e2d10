"""Decodes ``binary/envelope-kms-v2`` messages. Written from docs/wire-formats.md alone, without the code of this project.

It shows that the page is sufficient. ``packages/kms-codec/test/interop/decoder.test.ts`` lets it read messages of the
TypeScript library. It needs ``cryptography`` and, for compressed messages, ``zstandard``. It leaves out layers, the
settings of a keys file except ``accepts``, and Cloud KMS.

``python decoder.py FILE``: the first line of the file is a JSON object of the crypto keys by namespace, the second a list
of the answers of Cloud KMS. Prints for each further line, a message with its context, a line with its payload or its code.
"""

import hashlib
import hmac
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAX_CONTENT = 16 * 2**20


class Refused(Exception):
    """Its text is a reason code."""


class Payload(NamedTuple):
    metadata: dict[str, bytes]
    data: bytes
    external_sizes: list[int]


Unwrap = Callable[[str, bytes, bytes], bytes]
"""Cloud KMS: crypto key, additional authenticated data and ciphertext to plaintext."""


def decode(
    message: bytes,
    keys: Mapping[str, list[str]],
    namespaces: list[str],
    workflow_id: str | None,
    unwrap: Unwrap,
) -> Payload:
    """Returns the payload in a message.

    :param keys: crypto keys by namespace
    :param namespaces: those whose messages the reader accepts
    """
    # Step 2: version and flags.
    if len(message) < 2:
        raise Refused("malformed")
    version, flags = message[0], message[1]
    if version != 2 or flags & ~0b11:
        raise Refused("unsupported_version")
    # Step 3: length.
    fixed = 2 + 8 + 4 + 16 + (16 if flags & 1 else 0) + 16 + 16 + 2
    n = int.from_bytes(message[fixed - 2 : fixed], "big")
    header, box = message[: fixed + n], message[fixed + n :]
    if len(message) < fixed or not 1 <= n <= 1024 or len(box) < 12 + 16:
        raise Refused("malformed")
    key_id, key_version, tag = (
        header[2:10],
        int.from_bytes(header[10:14], "big"),
        header[14:30],
    )
    salt, commitment, wrapped = (
        header[fixed - 34 : fixed - 18],
        header[fixed - 18 : fixed - 2],
        header[fixed:],
    )
    if key_version == 0:
        raise Refused("malformed")
    # Steps 4 to 6: namespace tag, workflow tag, key id.
    namespace = next(
        (
            name
            for name in namespaces
            if sha256(b"temporal-kms/v2/namespace", name)[:16] == tag
        ),
        None,
    )
    if namespace is None:
        raise Refused("namespace_mismatch")
    if (
        flags & 1
        and workflow_id
        and header[30:46] not in workflow_tags(namespace, workflow_id)
    ):
        raise Refused("workflow_mismatch")
    crypto_key = next(
        (
            key
            for key in keys[namespace]
            if hashlib.sha256(key.encode()).digest()[:8] == key_id
        ),
        None,
    )
    if crypto_key is None:
        raise Refused("key_not_allowed")
    # Step 8: 01, six bytes of time, 32 bytes of branch key.
    unwrapped = unwrap(crypto_key, b"temporal-kms/v2/branch-key\0" + tag, wrapped)
    if len(unwrapped) != 39 or unwrapped[0] != 1:
        raise Refused("malformed")
    # Step 9: HKDF-SHA-256 (RFC 5869), compare the commitment, decrypt.
    derived = hkdf(unwrapped[7:], salt, b"temporal-kms/v2/data-key\0" + tag, 48)
    if not hmac.compare_digest(derived[32:], commitment):
        raise Refused("integrity_failed")
    try:
        plaintext = AESGCM(derived[:32]).decrypt(box[:12], box[12:], header)
    except InvalidTag:
        raise Refused("integrity_failed") from None
    # Step 10: decompress, parse.
    return parse(decompress(plaintext) if flags & 2 else plaintext)


def sha256(label: bytes, *names: str) -> bytes:
    return hashlib.sha256(
        b"\0".join([label, *(name.encode() for name in names)])
    ).digest()


def workflow_tags(namespace: str, workflow_id: str) -> list[bytes]:
    """Returns the tags of the workflow id, and of the id without the time that Temporal appends for a schedule."""
    time = r"-[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
    run = re.fullmatch(f"(?s)(.+){time}", workflow_id)
    ids = [workflow_id, *([run[1]] if run else [])]
    return [sha256(b"temporal-kms/v2/workflow", namespace, name)[:16] for name in ids]


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    prk, block, output = hmac.digest(salt, secret, "sha256"), b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length]


def decompress(frame: bytes) -> bytes:
    import zstandard

    if frame[:4] != bytes.fromhex("28b52ffd"):
        raise Refused("malformed")
    try:
        parameters = zstandard.get_frame_parameters(frame)
        if (
            parameters.content_size == zstandard.CONTENTSIZE_UNKNOWN
            or parameters.dict_id != 0
        ):
            raise Refused("malformed")
        if parameters.content_size > MAX_CONTENT:
            raise Refused("too_large")
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        content = decompressor.decompress(frame)
    except zstandard.ZstdError:
        raise Refused("malformed") from None
    if (
        not decompressor.eof
        or decompressor.unused_data
        or len(content) != parameters.content_size
    ):
        raise Refused("malformed")
    return content


def parse(plaintext: bytes) -> Payload:
    """Parses ``temporal.api.common.v1.Payload``: metadata (a map) is field 1, data 2, external payloads 3."""
    payload = Payload({}, b"", [])
    for tag, value in fields(plaintext, {0x0A, 0x12, 0x1A}, once={0x12}):
        if tag == 0x0A:
            entry = dict(fields(value, {0x0A, 0x12}, once={0x0A, 0x12}))
            try:
                name = entry.get(0x0A, b"").decode()
            except UnicodeDecodeError:
                raise Refused("malformed") from None
            if name in payload.metadata:
                raise Refused("malformed")
            payload.metadata[name] = entry.get(0x12, b"")
        elif tag == 0x12:
            payload = payload._replace(data=value)
        else:
            size = dict(fields(value, {0x08}, once={0x08})).get(0x08, 0)
            payload.external_sizes.append(size - 2**64 if size >= 2**63 else size)
    return payload


def fields(
    message: bytes, allowed: set[int], once: set[int]
) -> Iterator[tuple[int, Any]]:
    """Returns the fields by their tags, of which each is one byte."""
    at = 0
    seen: set[int] = set()

    def varint() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            if at >= len(message):
                raise Refused("malformed")
            byte = message[at]
            value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
            if value >= 2**64 or byte == 0 and shift > 7:
                raise Refused("malformed")
            if byte < 128:
                return value

    while at < len(message):
        tag, at = message[at], at + 1
        if tag not in allowed or tag in seen & once:
            raise Refused("malformed")
        seen.add(tag)
        value = varint()
        if tag & 7 == 0:
            yield tag, value
            continue
        at += value
        if at > len(message):
            raise Refused("malformed")
        yield tag, message[at - value : at]


def main(path: Path) -> None:
    with path.open(encoding="utf-8") as lines:
        keys: dict[str, list[str]] = json.loads(next(lines))
        answers = {
            (answer["key"], answer["aad"], answer["ciphertext"]): bytes.fromhex(
                answer["plaintext"]
            )
            for answer in json.loads(next(lines))
        }

        def unwrap(key: str, aad: bytes, ciphertext: bytes) -> bytes:
            try:
                return answers[key, aad.hex(), ciphertext.hex()]
            except KeyError:
                raise Refused("integrity_failed") from None

        for line in lines:
            asked: dict[str, Any] = json.loads(line)
            try:
                found = decode(
                    bytes.fromhex(asked["data"]),
                    keys,
                    asked["namespaces"],
                    asked.get("workflowId"),
                    unwrap,
                )
            except Refused as refused:
                print(json.dumps({"code": str(refused)}))
                continue
            metadata = {name: value.hex() for name, value in found.metadata.items()}
            sizes = [{"sizeBytes": str(size)} for size in found.external_sizes]
            more = {"externalPayloads": sizes} if sizes else {}
            print(
                json.dumps(
                    {
                        "payload": {
                            "metadata": metadata,
                            "data": found.data.hex(),
                            **more,
                        }
                    }
                )
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
