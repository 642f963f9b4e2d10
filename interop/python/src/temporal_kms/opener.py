"""Opens a payload of any format, within what its namespace's rule accepts."""

import base64
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload

from . import zstd
from .aead import DATA_KEY, check_length, open_box
from .call_budget import CallBudget
from .data_keys import OpenedKeys, within
from .errors import KmsCodecError
from .formats import format_of, is_empty, text
from .header import MAX_WRAPPED_KEY, NONCE, TAG, data_key_aad, key_id, namespace_tag, parse_message, workflow_tag
from .kms import KeyService
from .rules import NamespaceRule

T = TypeVar("T")
log = logging.getLogger("temporal_kms")

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_SAYS_NOTHING_OF_THE_MESSAGE = frozenset(
    {"permission_denied", "key_not_found", "key_disabled", "key_destroy_scheduled", "key_destroyed"}
)


@dataclass(frozen=True)
class Scope:
    """Where a payload is opened."""

    namespace: str
    rule: NamespaceRule
    accepted: tuple[tuple[str, tuple[str, ...]], ...]
    """Namespaces whose messages are read here, with the crypto keys that may have sealed them."""
    workflow_id: str | None
    budget: float
    """Seconds that Cloud KMS is waited for."""
    plaintext: CallBudget


class Opener:
    def __init__(self, service: KeyService, keys: OpenedKeys, max_decompressed: int) -> None:
        self._service = service
        self._keys = keys
        self._max_decompressed = max_decompressed

    async def open(self, payload: Payload, scope: Scope) -> Payload:
        kind = format_of(payload)
        match kind:
            case "envelope-v2":
                _check_reads(kind, scope)
                return await self._envelope_v2(payload.data, scope)
            case "envelope":
                _check_reads(kind, scope)
                return await self._envelope(payload, scope)
            case "direct":
                _check_reads(kind, scope)
                return await self._direct(payload, scope)
            case "proxy":
                crypto_key = proxy_key(payload, scope)
                if crypto_key is None:
                    return pass_through(payload, scope)
                _check_reads(kind, scope)
                return await self._proxy(payload, crypto_key, scope)
            case "static":
                key = static_key(payload, scope)
                if key is None:
                    return pass_through(payload, scope)
                _check_reads(kind, scope)
                return _inner(_decrypt(AESGCM(key), payload.data, scope))
            case "external":
                return payload
            case _:
                return payload if is_empty(payload) else pass_through(payload, scope)

    async def _envelope_v2(self, data: bytes, scope: Scope) -> Payload:
        message = parse_message(data)
        header = message.header
        found = next((one for one in scope.accepted if namespace_tag(one[0]) == header.namespace_tag), None)
        if found is None:
            raise KmsCodecError("namespace_mismatch", f"{scope.namespace} doesn't accept the namespace of this message")
        namespace, listed = found
        known = None if scope.workflow_id is None else workflow_tag(namespace, scope.workflow_id)
        if None not in (known, header.workflow_tag) and known != header.workflow_tag:
            raise KmsCodecError("workflow_mismatch", "It was sealed for another workflow id")
        crypto_key = next((key for key in listed if key_id(key) == header.key_id), None)
        if crypto_key is None:
            raise KmsCodecError("key_not_allowed", f"It names a key that isn't listed for {scope.namespace}")
        wanted = (crypto_key, data_key_aad(namespace), header.wrapped_key)
        key = await self._keys.get(wanted, scope.budget, header.key_version)
        plaintext = _decrypt(key, message.box, scope, message.aad)
        if header.compressed:
            plaintext = zstd.decompress(plaintext, scope.plaintext.at_most(self._max_decompressed))
            scope.plaintext.take(len(plaintext))
        return _inner(plaintext)

    async def _envelope(self, payload: Payload, scope: Scope) -> Payload:
        wrapped = payload.metadata.get("encrypted-dek", b"")
        if not wrapped:
            raise KmsCodecError("malformed", "The message has no encrypted-dek")
        if len(wrapped) > MAX_WRAPPED_KEY:
            raise KmsCodecError("malformed", f"encrypted-dek is longer than {MAX_WRAPPED_KEY} bytes")
        check_length(payload.data)

        async def attempt(crypto_key: str) -> AESGCM:
            return await self._keys.get((crypto_key, b"", wrapped), scope.budget)

        # Only the right key unwraps the data key: a message that does not open under it is damaged.
        key: AESGCM = await _first_that_opens(_candidates(payload, scope), attempt, scope)
        return _inner(_decrypt(key, payload.data, scope))

    async def _direct(self, payload: Payload, scope: Scope) -> Payload:
        if not payload.data:
            raise KmsCodecError("malformed", "The message has no ciphertext")
        scope.plaintext.take(len(payload.data))

        async def attempt(crypto_key: str) -> Payload:
            plaintext = await within(scope.budget, lambda: self._service.unwrap(crypto_key, payload.data, b""))
            inner = _inner(plaintext)
            # Nothing is bound: an envelope's wrapped data key can stand here, and who may only decrypt would get it.
            if len(plaintext) == DATA_KEY and "encoding" not in inner.metadata:
                raise _not_a_payload()
            return inner

        return await _first_that_opens(_candidates(payload, scope), attempt, scope)

    async def _proxy(self, payload: Payload, crypto_key: str, scope: Scope) -> Payload:
        encoded = payload.metadata["encryption-dek"]
        # Python's decoder forgives excess padding, even when it validates.
        if not encoded or not _BASE64.fullmatch(encoded):
            raise KmsCodecError("malformed", "encryption-dek isn't base64")
        wrapped = base64.b64decode(encoded)
        if len(wrapped) > MAX_WRAPPED_KEY:
            raise KmsCodecError("malformed", f"encryption-dek is longer than {MAX_WRAPPED_KEY} bytes")
        check_length(payload.data)
        key: AESGCM = await self._keys.get((crypto_key, b"", wrapped), scope.budget)
        return _inner(_decrypt(key, payload.data, scope))


def _decrypt(key: AESGCM, box: bytes, scope: Scope, aad: bytes | None = None) -> bytes:
    check_length(box)
    scope.plaintext.take(len(box) - NONCE - TAG)
    return open_box(key, box, aad)


def _candidates(payload: Payload, scope: Scope) -> tuple[str, ...]:
    """The named key if it is listed, else all that are."""
    named = text(payload, "kms-key")
    if not named:
        return scope.rule.keys
    if named in scope.rule.keys:
        return (named,)
    raise KmsCodecError("key_not_allowed", f"It names a key that isn't listed for {scope.namespace}")


async def _first_that_opens(
    keys: tuple[str, ...], attempt: Callable[[str], Awaitable[T]], scope: Scope
) -> T:
    unusable: KmsCodecError | None = None
    refusal = KmsCodecError("key_not_allowed", f"No key that may decrypt is listed for {scope.namespace}")
    for key in keys:
        try:
            return await attempt(key)
        except KmsCodecError as error:
            if error.code in _SAYS_NOTHING_OF_THE_MESSAGE:
                unusable = unusable or error
            elif error.code == "integrity_failed":
                refusal = error
            else:
                raise
    raise unusable or refusal


def _check_reads(kind: str, scope: Scope) -> None:
    if kind not in scope.rule.reads:
        raise KmsCodecError("format_not_allowed", f"The namespace {scope.namespace} doesn't read the format {kind}")


def proxy_key(payload: Payload, scope: Scope) -> str | None:
    """The crypto key that a payload of the proxy names, where it is a listed one of Google's."""
    address = text(payload, "encryption-key-id")
    crypto_key = address.removeprefix("gcpkms://")
    return crypto_key if crypto_key != address and crypto_key in scope.rule.keys else None


def static_key(payload: Payload, scope: Scope) -> bytes | None:
    """The samples' key that a payload names, where it is configured."""
    return scope.rule.static.get(text(payload, "encryption-key-id"))


def pass_through(payload: Payload, scope: Scope) -> Payload:
    """:raises KmsCodecError: ``format_not_allowed`` where the rule refuses what this codec did not encrypt"""
    if scope.rule.plaintext == "refuse":
        raise KmsCodecError("format_not_allowed", f"The namespace {scope.namespace} refuses what it didn't seal")
    if scope.rule.plaintext == "report" and format_of(payload) == "plain":
        log.warning("A payload in clear was read in the namespace %s", scope.namespace)
    return payload


def _inner(plaintext: bytes) -> Payload:
    try:
        return Payload.FromString(plaintext)
    except DecodeError:
        raise _not_a_payload() from None


def _not_a_payload() -> KmsCodecError:
    return KmsCodecError("malformed", "It opened, but it doesn't hold a Temporal payload")
