"""Decrypts a payload of any format that the namespace's rule reads."""

import base64
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload

from . import zstd
from .aead import check_length, decrypt
from .call_budget import CallBudget
from .decryption_keys import DecryptionKeys
from .errors import KEY_REFUSED, KmsCodecError
from .formats import format_of, is_empty, is_failure_placeholder, text
from .header import (
    MAX_WRAPPED_KEY,
    NONCE,
    TAG,
    branch_key_aad,
    data_key_info,
    key_id,
    namespace_tag,
    parse_message,
    workflow_tags,
)
from .kms import KeyService
from .payload_reader import not_a_payload, parse_payload
from .rules import NamespaceRule, wrapped_key_hash
from .single_flight import retry_within
from .unwrapped_key import KEY

T = TypeVar("T")
log = logging.getLogger("temporal_kms")

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
MAX_DIRECT = 65_536 + 1_024
"""Maximum length of a direct ciphertext, in bytes: the length of the largest plaintext plus 1 KiB, because Cloud KMS
does not document how many bytes it adds."""


Accepted: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""The namespaces whose messages a reader accepts, with the crypto keys that may have encrypted those messages."""


@dataclass(frozen=True)
class Scope:
    """The namespace and workflow in which a payload is encoded or decoded, and the call's limits."""

    namespace: str
    rule: NamespaceRule
    accepted: Accepted
    workflow_id: str | None
    budget: float
    """How many seconds to wait for Cloud KMS."""
    plaintext: CallBudget
    denies: Callable[[bytes], bool]
    """Returns whether the rules deny a wrapped key."""


class PayloadDecryptor:
    def __init__(self, service: KeyService, keys: DecryptionKeys, max_decompressed: int) -> None:
        self._service = service
        self._keys = keys
        self._max_decompressed = max_decompressed

    async def decrypt(self, payload: Payload, scope: Scope) -> Payload:
        """Decrypts one layer. Returns the payload itself if it passes unchanged.

        :raises KmsCodecError: the payload cannot be decrypted; ``code`` is the reason code
        """
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
                return _parse(_decrypt(AESGCM(key), payload.data, scope), scope)
            case "external":
                return pass_through(payload, scope)
            case _:
                hides_nothing = is_empty(payload) or is_failure_placeholder(payload)
                return payload if hides_nothing else pass_through(payload, scope)

    async def _envelope_v2(self, data: bytes, scope: Scope) -> Payload:
        message = parse_message(data)
        header = message.header
        found = next((entry for entry in scope.accepted if namespace_tag(entry[0]) == header.namespace_tag), None)
        if found is None:
            raise KmsCodecError(
                "namespace_mismatch",
                f"The message was encrypted in a namespace that {scope.namespace} does not accept",
            )
        namespace, listed = found
        if header.workflow_tag is None and scope.rule.workflow_tag:
            raise KmsCodecError(
                "format_not_allowed",
                f"The message has no workflow tag, and the rule for the namespace {scope.namespace} requires one; have "
                'its writer bind messages to their workflow, or remove "workflowTag" from the rule',
            )
        bound_to, workflow_id = header.workflow_tag, scope.workflow_id
        if bound_to and workflow_id and bound_to not in workflow_tags(namespace, workflow_id):
            raise KmsCodecError("workflow_mismatch", "The message was encrypted for another workflow id")
        crypto_key = next((key for key in listed if key_id(key) == header.key_id), None)
        if crypto_key is None:
            raise _key_not_listed(scope)
        _check_not_denied(header.wrapped_key, scope)
        wanted = (crypto_key, branch_key_aad(namespace), header.wrapped_key)
        branch = await self._keys.get(wanted, scope.budget, header.key_version)
        scope.plaintext.take(len(message.ciphertext) - NONCE - TAG)
        derived = branch.derive(header.salt, data_key_info(namespace))
        derived.check(header.commitment)
        plaintext = decrypt(derived.cipher, message.ciphertext, message.aad)
        self._keys.authenticated(wanted, header.key_version)
        if header.compressed:
            plaintext = zstd.decompress(plaintext, self._max_decompressed, scope.plaintext.take)
        return _parse(plaintext, scope)

    async def _envelope(self, payload: Payload, scope: Scope) -> Payload:
        wrapped = payload.metadata.get("encrypted-dek", b"")
        if not wrapped:
            raise KmsCodecError("malformed", "The message has no encrypted-dek")
        if len(wrapped) > MAX_WRAPPED_KEY:
            raise KmsCodecError("malformed", f"encrypted-dek is longer than {MAX_WRAPPED_KEY} bytes")
        check_length(payload.data)
        _check_not_denied(wrapped, scope)

        async def attempt(crypto_key: str) -> AESGCM:
            return (await self._keys.get((crypto_key, b"", wrapped), scope.budget)).data_key

        # Only the right crypto key unwraps the data key. If the message cannot be decrypted under that data key, the
        # message was modified.
        key: AESGCM = await _first_success(_candidates(payload, scope), attempt, scope)
        return _parse(_decrypt(key, payload.data, scope), scope)

    async def _direct(self, payload: Payload, scope: Scope) -> Payload:
        if not payload.data:
            raise KmsCodecError("malformed", "The message has no ciphertext")
        if len(payload.data) > MAX_DIRECT:
            raise KmsCodecError(
                "too_large",
                f"The message has a ciphertext of {len(payload.data)} bytes; Cloud KMS encrypts at most 65536 bytes, "
                f"so a ciphertext has at most {MAX_DIRECT}. Cloud KMS was not called",
            )
        candidates = _candidates(payload, scope)
        scope.plaintext.take(len(payload.data))

        async def attempt(crypto_key: str) -> Payload:
            plaintext = await retry_within(scope.budget, lambda: self._service.unwrap(crypto_key, payload.data, b""))
            inner = _parse(_without_prefix(plaintext), scope)
            # The format does not bind the ciphertext to a purpose. The plaintext may therefore be an
            # envelope's data key: an attacker may have presented the wrapped key as a direct message, to get
            # it decrypted.
            if len(plaintext) == KEY and "encoding" not in inner.metadata:
                raise not_a_payload()
            return inner

        return await _first_success(candidates, attempt, scope)

    async def _proxy(self, payload: Payload, crypto_key: str, scope: Scope) -> Payload:
        encoded = payload.metadata["encryption-dek"]
        # Check the text before decoding it, because Python's decoder accepts excess padding, even with validation.
        if not encoded or not _BASE64.fullmatch(encoded):
            raise KmsCodecError("malformed", "encryption-dek is not base64")
        wrapped = base64.b64decode(encoded)
        if len(wrapped) > MAX_WRAPPED_KEY:
            raise KmsCodecError("malformed", f"encryption-dek is longer than {MAX_WRAPPED_KEY} bytes")
        _check_not_denied(wrapped, scope)
        check_length(payload.data)
        key = await self._keys.get((crypto_key, b"", wrapped), scope.budget)
        return _parse(_decrypt(key.data_key, payload.data, scope), scope)


def _decrypt(key: AESGCM, data: bytes, scope: Scope) -> bytes:
    check_length(data)
    scope.plaintext.take(len(data) - NONCE - TAG)
    return decrypt(key, data)


def _parse(plaintext: bytes, scope: Scope) -> Payload:
    return parse_payload(plaintext, scope.plaintext.take)


def _without_prefix(plaintext: bytes) -> bytes:
    """Removes the empty ``data`` field that a writer prepends to a plaintext of 32 bytes. The writer prepends the field
    because 32 bytes could be used as a data key."""
    return plaintext[2:] if len(plaintext) == KEY + 2 and plaintext[:2] == b"\x12\x00" else plaintext


def _candidates(payload: Payload, scope: Scope) -> tuple[str, ...]:
    """Returns the listed key that the payload names, or all listed keys if the payload names no key."""
    named = text(payload, "kms-key")
    if not named:
        return scope.rule.keys
    if named in scope.rule.keys:
        return (named,)
    raise _key_not_listed(scope)


def _check_not_denied(wrapped: bytes, scope: Scope) -> None:
    if scope.denies(wrapped):
        raise KmsCodecError(
            "key_not_allowed",
            "The keys file's deny-list contains the message's wrapped key, "
            f"{wrapped_key_hash(wrapped)}: an attacker who knows the key can forge messages. "
            "Cloud KMS was not called",
        )


def _key_not_listed(scope: Scope) -> KmsCodecError:
    return KmsCodecError(
        "key_not_allowed",
        f"The message names a crypto key that the rule for the namespace {scope.namespace} does not list; "
        "Cloud KMS was not called",
    )


async def _first_success(keys: tuple[str, ...], attempt: Callable[[str], Awaitable[T]], scope: Scope) -> T:
    unusable: KmsCodecError | None = None
    refusal = KmsCodecError(
        "key_not_allowed", f"The rule for the namespace {scope.namespace} lists no crypto key for decryption"
    )
    for key in keys:
        try:
            return await attempt(key)
        except KmsCodecError as error:
            if error.code in KEY_REFUSED:
                unusable = unusable or error
            elif error.code == "integrity_failed":
                refusal = error
            else:
                raise
    raise unusable or refusal


def _check_reads(kind: str, scope: Scope) -> None:
    if kind not in scope.rule.reads:
        raise KmsCodecError(
            "format_not_allowed",
            f"The payload is in the format {kind}, which the namespace {scope.namespace} does not read; "
            'add the format to "reads" in the rule for the namespace',
        )


def proxy_key(payload: Payload, scope: Scope) -> str | None:
    """Returns the crypto key that a payload from temporal-proxy names, if that is a listed Cloud KMS key."""
    address = text(payload, "encryption-key-id")
    crypto_key = address.removeprefix("gcpkms://")
    return crypto_key if crypto_key != address and crypto_key in scope.rule.keys else None


def static_key(payload: Payload, scope: Scope) -> bytes | None:
    """Returns the static key that a payload from the samples names, if that key is configured."""
    key_id = text(payload, "encryption-key-id")
    # Compare bytes, because invalid UTF-8 would decode to other text, which could be a configured id.
    if key_id.encode() != payload.metadata.get("encryption-key-id", b""):
        return None
    return scope.rule.static.get(key_id)


def pass_through(payload: Payload, scope: Scope) -> Payload:
    """Returns the payload unchanged.

    :raises KmsCodecError: ``format_not_allowed`` if the rule refuses plaintext
    """
    if scope.rule.plaintext == "refuse":
        what = "a reference to external storage, which is not authenticated and counts as plaintext"
        raise KmsCodecError(
            "format_not_allowed",
            f"The payload is {what if format_of(payload) == 'external' else 'not encrypted by this codec'}, "
            f"and the rule for the namespace {scope.namespace} refuses plaintext",
        )
    if scope.rule.plaintext == "report" and format_of(payload) == "plain":
        log.warning("Read a plaintext payload in the namespace %s", scope.namespace)
    return payload
