"""Decodes ``binary/envelope-kms-v2`` messages.

This decoder was written only from docs/wire-formats.md and uses none of this project's code, so it shows that the
specification is sufficient. ``packages/kms-codec/test/interop/decoder.test.ts`` runs the decoder
on messages from the TypeScript library and on the vectors. The decoder needs ``cryptography`` and ``zstandard``. The
decoder does not implement layers, keys-file settings other than ``accepts``, or Cloud KMS.

``python decoder.py FILE``: each line of the file is a JSON object with a message (``data``), the crypto keys of each
accepted namespace (``keys``), the ``workflowId`` of the reader, and the Cloud KMS responses (``kms``). For each
message, prints a line with the payload or the reason code.
"""

import hashlib
import hmac
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAX_CONTENT = 16 * 2**20


class Refused(Exception):
    """The message was refused. The exception's text is a reason code."""


class Payload(NamedTuple):
    metadata: dict[str, bytes]
    data: bytes
    external_sizes: list[int]


Unwrap = Callable[[str, bytes, bytes], bytes]
"""Unwraps as Cloud KMS does: takes a crypto key, additional authenticated data and a ciphertext, and returns the
plaintext."""


def decode(
    message: bytes,
    keys: Mapping[str, list[str]],
    namespaces: list[str],
    workflow_id: str | None,
    unwrap: Unwrap,
) -> Payload:
    """Decodes a message and returns its payload.

    :param keys: crypto keys by namespace
    :param namespaces: the namespaces whose messages the reader accepts
    """
    # [E-8] Check the version and the flags.
    if len(message) < 2:
        raise Refused("malformed")
    version, flags = message[0], message[1]
    if version != 2 or flags & ~0b11:
        raise Refused("unsupported_version")
    # [E-9] Check the length.
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
    # [E-10] to [E-12]: check the namespace tag, the workflow tag and the key id.
    namespace = next(
        (name for name in namespaces if sha256(b"temporal-kms/v2/namespace", name)[:16] == tag),
        None,
    )
    if namespace is None:
        raise Refused("namespace_mismatch")
    if flags & 1 and workflow_id and header[30:46] not in workflow_tags(namespace, workflow_id):
        raise Refused("workflow_mismatch")
    crypto_key = next(
        (key for key in keys[namespace] if hashlib.sha256(key.encode()).digest()[:8] == key_id),
        None,
    )
    if crypto_key is None:
        raise Refused("key_not_allowed")
    # [E-14] Unwrap the branch key: the byte 01, six bytes for the date, and 32 bytes for the key.
    unwrapped = unwrap(crypto_key, b"temporal-kms/v2/branch-key\0" + tag, wrapped)
    if len(unwrapped) != 39 or unwrapped[0] != 1:
        raise Refused("malformed")
    # [E-15] Derive the data key (HKDF-SHA-256, RFC 5869), compare the commitment, and decrypt.
    derived = hkdf(unwrapped[7:], salt, b"temporal-kms/v2/data-key\0" + tag, 48)
    if not hmac.compare_digest(derived[32:], commitment):
        raise Refused("integrity_failed")
    try:
        plaintext = AESGCM(derived[:32]).decrypt(box[:12], box[12:], header)
    except InvalidTag:
        raise Refused("integrity_failed") from None
    # [E-16] Decompress and parse.
    return parse(decompress(plaintext) if flags & 2 else plaintext)


def sha256(label: bytes, *names: str) -> bytes:
    return hashlib.sha256(b"\0".join([label, *(name.encode() for name in names)])).digest()


def workflow_tags(namespace: str, workflow_id: str) -> list[bytes]:
    """Returns the tags of the workflow id, and of the id without the timestamp that a schedule appends."""
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
    size = content_size(frame)
    try:
        # zstandard's one-shot function would trust a declared size of 0. To reach the end of the frame, read
        # one byte more than the declared size.
        source = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(frame), read_size=len(frame))
        content = source.read(size + 1)
    except zstandard.ZstdError:
        raise Refused("malformed") from None
    if len(content) != size:
        raise Refused("malformed")
    return content


def content_size(frame: bytes) -> int:
    """Returns the size that a zstd frame declares (RFC 8878, section 3.1.1)."""
    if len(frame) < 6 or frame[:4] != bytes.fromhex("28b52ffd") or frame[4] & 0b1011:
        raise Refused("malformed")
    single = bool(frame[4] & 0b100000)
    width = (1 if single else 0, 2, 4, 8)[frame[4] >> 6]
    at = (5 if single else 6) + width
    if len(frame) < at:
        raise Refused("malformed")
    size = int.from_bytes(frame[at - width : at], "little") + (256 if width == 2 else 0)
    if size > MAX_CONTENT:
        raise Refused("too_large")
    window = size if single else (8 + frame[5] % 8) << (7 + (frame[5] >> 3))
    last = False
    while not last:
        block = int.from_bytes(frame[at : at + 3], "little")
        last, kind, length = bool(block & 1), block >> 1 & 3, block >> 3
        if len(frame) < at + 3 or kind == 3 or length > min(window, 128 * 1024):
            raise Refused("malformed")
        at += 3 + (1 if kind == 1 else length)
    end = at + (4 if frame[4] & 0b100 else 0)
    if width == 0 or (not single and window > 128 * 2**20) or end != len(frame):
        raise Refused("malformed")
    return size


def parse(plaintext: bytes) -> Payload:
    """Parses ``temporal.api.common.v1.Payload``: field 1 is metadata (a map), field 2 is data, field 3 is external
    payloads."""
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


def fields(message: bytes, allowed: set[int], once: set[int]) -> Iterator[tuple[int, Any]]:
    """Yields the tag, which is one byte, and the content of each field."""
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
            if value >= 2**64 or (byte == 0 and shift > 7):
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


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    def unwrap(key: str, aad: bytes, ciphertext: bytes) -> bytes:
        wanted = {"key": key, "aad": aad.hex(), "ciphertext": ciphertext.hex()}
        for known in asked["kms"]:
            if wanted.items() <= known.items() and "plaintext" in known:
                return bytes.fromhex(known["plaintext"])
        raise Refused("integrity_failed")

    message, workflow_id = bytes.fromhex(asked["data"]), asked.get("workflowId")
    try:
        found = decode(message, asked["keys"], list(asked["keys"]), workflow_id, unwrap)
    except Refused as refused:
        return {"code": str(refused)}
    metadata = {name: value.hex() for name, value in found.metadata.items()}
    sizes = [{"sizeBytes": str(size)} for size in found.external_sizes]
    more = {"externalPayloads": sizes} if sizes else {}
    return {"payload": {"metadata": metadata, "data": found.data.hex(), **more}}


def main(path: Path) -> None:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            print(json.dumps(answer(json.loads(line))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
