"""The rules of namespaces: keys, formats and accepted namespaces."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .errors import KmsCodecError
from .header import key_id

DIRECT_WITH_ENVELOPE = "direct-with-envelope"
"""A risk that a rule can accept by name. If ``direct`` and ``envelope`` share a key, messages can be forged."""


def wrapped_key_hash(wrapped: bytes) -> str:
    """Returns a wrapped key's SHA-256 in hexadecimal digits. The keys file's deny-list contains such hashes."""
    return hashlib.sha256(wrapped).hexdigest()


@dataclass(frozen=True)
class NamespaceRule:
    encrypt: str | None = None
    """Resource name of the crypto key that encrypts, or None if this process only decrypts."""
    decrypt: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    """Other namespaces whose messages this namespace may read."""
    reads: frozenset[str] = frozenset({"envelope-v2"})
    plaintext: str = "report"
    """What to do with plaintext: ``pass``, ``report`` or ``refuse``."""
    static: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Keys of the format ``static``, of 32 bytes each, by key id."""
    unsafe: frozenset[str] = frozenset()
    """The names of the accepted risks."""
    workflow_tag: str | None = None
    """If ``require``, the codec reads and writes only messages with a workflow tag."""

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The rule's crypto keys, without duplicates. The encryption key comes first."""
        return tuple(dict.fromkeys([*([self.encrypt] if self.encrypt else []), *self.decrypt]))


@dataclass(frozen=True)
class KeyRules:
    """The rules of all namespaces.

    :param deny: SHA-256 hashes of the wrapped keys that every namespace must refuse, in lowercase hexadecimal digits
    :raises ValueError: a rule combines formats unsafely without accepting the risk under ``unsafe``, two keys have the
        same id, one key has two names, or a rule that requires workflow tags reads a format without tags
    """

    namespaces: Mapping[str, NamespaceRule] = field(default_factory=dict)
    default: NamespaceRule | None = None
    deny: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        malformed = (f"deny: {one} is not a SHA-256 in lowercase hex" for one in self.deny if not _HASH.fullmatch(one))
        if mistakes := [
            *malformed,
            *self._double_names(),
            *self._colliding_ids(),
            *self._mixed_formats(),
            *self._untagged_formats(),
        ]:
            raise ValueError("\n".join(mistakes))

    def denies(self, wrapped: bytes) -> bool:
        """Returns whether a wrapped key is on the deny-list, which contains keys that an attacker may know."""
        return bool(self.deny) and wrapped_key_hash(wrapped) in self.deny

    def resolve(self, namespace: str) -> NamespaceRule:
        """Returns a namespace's rule.

        :raises KmsCodecError: ``namespace_not_configured``
        """
        rule = self.namespaces.get(namespace, self.default)
        if rule is None:
            raise KmsCodecError(
                "namespace_not_configured",
                f"No crypto key is configured for the namespace {namespace}; add a rule for it to the keys file",
            )
        return rule

    def _places(self) -> dict[str, NamespaceRule]:
        rules = {f"namespaces.{name}": rule for name, rule in self.namespaces.items()}
        return rules if self.default is None else {**rules, "default": self.default}

    def _double_names(self) -> Iterator[str]:
        """Describes each rule that names a key by its project's number, if another rule names the key by its
        project's id."""
        rules = self._places()
        named = {_without_project(key): key for rule in rules.values() for key in rule.keys if not _NUMBERED.match(key)}
        for place, rule in rules.items():
            for key in rule.keys:
                if _NUMBERED.match(key) and (other := named.get(_without_project(key))):
                    yield (
                        f"{place}.{'encrypt' if key == rule.encrypt else 'decrypt'}: names {key} by its project's "
                        f"number, but {other} by a project id: if both are the same key, messages under one name "
                        "cannot be read under the other. Name every project by its id"
                    )

    def _colliding_ids(self) -> Iterator[str]:
        """Describes each rule that contains a key with the same id in headers as another key."""
        rules = self._places()
        first: dict[bytes, str] = {}
        for rule in rules.values():
            for key in rule.keys:
                first.setdefault(key_id(key), key)
        for place, rule in rules.items():
            for key in rule.keys:
                if (other := first[key_id(key)]) != key:
                    yield (
                        f"{place}.{'encrypt' if key == rule.encrypt else 'decrypt'}: names {key}, but its id in "
                        f"messages, {key_id(key).hex()}, is also the id of {other}: readers could not tell which of "
                        "the two keys a message needs. Use a key with another name"
                    )

    def _untagged_formats(self) -> Iterator[str]:
        """Describes each rule that requires workflow tags but reads a format without workflow tags."""
        for place, rule in self._places().items():
            if rule.workflow_tag and (formats := sorted(rule.reads - {"envelope-v2"})):
                yield (
                    f"{place}.reads: contains {formats[0]}, whose messages have no workflow tag, but workflowTag: "
                    "require refuses messages without a tag. Read only envelope-v2, or remove workflowTag until no "
                    "history needs the older format"
                )

    def _mixed_formats(self) -> Iterator[str]:
        """Describes each rule that reads ``envelope`` or ``proxy`` under a key that any rule also uses to read
        ``direct``."""
        rules = self._places()
        direct = {key for rule in rules.values() if "direct" in rule.reads for key in rule.keys}
        for place, rule in rules.items():
            if DIRECT_WITH_ENVELOPE in rule.unsafe or not rule.reads & {"envelope", "proxy"}:
                continue
            if shared := [key for key in rule.keys if key in direct]:
                yield (
                    f"{place}.reads: contains envelope or proxy, but a rule reads direct under the same key "
                    f"{shared[0]}: a direct message of 32 bytes can be passed off as a data key, with which "
                    "messages can be forged. Use another key, read one of the two formats, or accept the risk with "
                    f"unsafe: [{DIRECT_WITH_ENVELOPE}]"
                )


_HASH = re.compile("[0-9a-f]{64}")
_NUMBERED = re.compile(r"projects/[0-9]+/")


def _without_project(key: str) -> str:
    return re.sub("^projects/[^/]+", "", key)
