"""Which keys belong to which namespace: the keys file, or the guide's variables for one key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .errors import KmsCodecError

SEALED_FORMATS = ("envelope-v2", "envelope", "direct", "proxy", "static")


@dataclass(frozen=True)
class NamespaceRule:
    encrypt: str | None = None
    """Crypto key resource name."""
    decrypt: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    """Other namespaces whose messages may be read."""
    reads: frozenset[str] = frozenset({"envelope-v2"})
    plaintext: str = "report"
    """``pass``, ``report`` or ``refuse``."""
    static: Mapping[str, bytes] = field(default_factory=dict)
    """Keys of 32 bytes by key id."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every crypto key that may be sent to Cloud KMS, the encrypting one first."""
        return tuple(dict.fromkeys([*([self.encrypt] if self.encrypt else []), *self.decrypt]))


@dataclass(frozen=True)
class KeyRules:
    namespaces: Mapping[str, NamespaceRule] = field(default_factory=dict)
    default: NamespaceRule | None = None

    def resolve(self, namespace: str) -> NamespaceRule:
        rule = self.namespaces.get(namespace, self.default)
        if rule is None:
            raise KmsCodecError("namespace_not_configured", f"No key is configured for the namespace {namespace}")
        return rule


def read_keys_file(path: Path) -> KeyRules:
    """:raises ValueError: what is wrong in the file, and where"""
    file = yaml.safe_load(path.read_text(encoding="utf8")) or {}
    _check(file, {"namespaces", "default"}, str(path))
    named = {
        name: _rule(entry, f"namespaces.{name}", path.parent) for name, entry in (file.get("namespaces") or {}).items()
    }
    default = file.get("default")
    return KeyRules(named, None if default is None else _rule(default, "default", path.parent))


def _rule(entry: Any, place: str, folder: Path) -> NamespaceRule:
    _check(entry, {"encrypt", "decrypt", "accepts", "reads", "plaintext", "static"}, place)
    reads = frozenset(entry.get("reads", ["envelope-v2"]))
    if unknown := reads - frozenset(SEALED_FORMATS):
        raise ValueError(f"{place}.reads: {sorted(unknown)} aren't formats; there are {', '.join(SEALED_FORMATS)}")
    plaintext = entry.get("plaintext", "report")
    if plaintext not in ("pass", "report", "refuse"):
        raise ValueError(f"{place}.plaintext: {plaintext} is neither pass nor report nor refuse")
    static = {
        key_id: _static_key(folder / key["file"], f"{place}.static.{key_id}")
        for key_id, key in entry.get("static", {}).items()
    }
    return NamespaceRule(
        encrypt=entry.get("encrypt"),
        decrypt=tuple(entry.get("decrypt", [])),
        accepts=tuple(entry.get("accepts", [])),
        reads=reads,
        plaintext=plaintext,
        static=static,
    )


def _check(entry: Any, allowed: set[str], place: str) -> None:
    if not isinstance(entry, dict):
        raise ValueError(f"{place}: must be a mapping")
    if unknown := set(entry) - allowed:
        raise ValueError(f"{place}: {sorted(unknown)} aren't known here; known are {', '.join(sorted(allowed))}")


def _static_key(path: Path, place: str) -> bytes:
    """32 bytes as they are, or as hex."""
    content = path.read_bytes()
    if len(content) != 32:
        try:
            content = bytes.fromhex(content.decode("ascii"))
        except ValueError:
            content = b""
    if len(content) != 32:
        raise ValueError(f"{place}: {path} must hold 32 bytes, as they are or in hex")
    return content
