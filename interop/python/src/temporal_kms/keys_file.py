"""Reads the keys file (``KMS_KEYS_FILE``): strict YAML that must match the JSON Schema in packages/kms-codec."""

import base64
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from .rules import KeyRules, NamespaceRule
from .strict_yaml import MAX_BYTES, StrictYamlError, parse_strict_yaml, read_regular_file

SCHEMA = Path(__file__).with_name("keys-file.schema.json")
STATIC_KEY = 32
MAX_STATIC_KEY_FILE = 1024


def read_keys_file(path: Path) -> KeyRules:
    """Returns the rules that the file contains.

    :raises ValueError: the file is invalid; the message contains each mistake and its location
    """
    try:
        file = parse_strict_yaml(read_regular_file(path, MAX_BYTES))
    except (StrictYamlError, OSError) as error:
        raise ValueError(f"{path}: {error}") from None
    mistakes = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in _validator().iter_errors(file)
    ]
    if not mistakes and not file.get("namespaces") and "default" not in file:
        mistakes = ["names neither a namespace nor a default"]
    if mistakes:
        raise ValueError("\n".join([f"{path}:", *mistakes]))
    named = {
        name: _rule(entry, f"namespaces.{name}", path.parent) for name, entry in file.get("namespaces", {}).items()
    }
    default = file.get("default")
    rule = None if default is None else _rule(default, "default", path.parent)
    return KeyRules(named, rule, tuple(dict.fromkeys(file.get("deny", []))))


def is_crypto_key(name: str) -> bool:
    """Returns whether a name is a crypto key's resource name, without a version."""
    rule = _validator().schema["properties"]["default"]["properties"]
    return bool(Draft202012Validator(rule["encrypt"]).is_valid(name))


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _rule(entry: dict[str, Any], place: str, folder: Path) -> NamespaceRule:
    return NamespaceRule(
        encrypt=entry.get("encrypt"),
        decrypt=tuple(entry.get("decrypt", [])),
        accepts=tuple(entry.get("accepts", [])),
        reads=frozenset(entry.get("reads", ["envelope-v2"])),
        plaintext=entry.get("plaintext", "report"),
        static={
            key_id: read_static_key(folder / key["file"], f"{place}.static.{key_id}.file")
            for key_id, key in entry.get("static", {}).items()
        },
        unsafe=frozenset(entry.get("unsafe", [])),
        workflow_tag=entry.get("workflowTag"),
    )


_HEX = re.compile(rb"[0-9A-Fa-f]{64}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{43}=")


def read_static_key(path: Path, place: str) -> bytes:
    """Returns the key in a file: 32 raw bytes, 64 hexadecimal digits, or 44 characters of padded base64.

    A line end may follow the hexadecimal or base64 text. Refuses 32 bytes of text, because the text could be a
    hexadecimal key of half the length.

    :raises ValueError: the file contains other content
    """
    try:
        content = read_regular_file(path, MAX_STATIC_KEY_FILE)
    except OSError as error:
        raise ValueError(f"{place}: {error}") from None
    key = _decoded(content)
    if key is None:
        raise ValueError(
            f"{place}: {path} must contain a key of 32 bytes: raw, as 64 hexadecimal digits, "
            "or as 44 characters of base64"
        )
    return key


def _decoded(content: bytes) -> bytes | None:
    if not all(0x20 <= byte < 0x7F or 0x09 <= byte <= 0x0D for byte in content):
        return content if len(content) == STATIC_KEY else None
    text = re.sub(rb"\r?\n\Z", b"", content)
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.decode("ascii"))
    if not _BASE64.fullmatch(text):
        return None
    key = base64.b64decode(text)
    # The unused bits of the last character must be 0. Otherwise two strings would encode the same key.
    return key if base64.b64encode(key) == text else None
