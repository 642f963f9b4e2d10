"""Temporal's PayloadCodec over Cloud KMS: writes ``binary/envelope-kms-v2``, reads every format."""

import asyncio
import copy
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from . import zstd
from .aead import seal
from .call_budget import DEFAULT_CALL_LIMIT, CallBudget
from .data_keys import Clock, OpenedKeys, SealingKeys
from .errors import KmsCodecError
from .formats import ENVELOPE_V2, format_of
from .header import Header, key_id, namespace_tag, workflow_tag
from .keys_file import is_crypto_key, read_keys_file
from .kms import CloudKms, KeyService
from .layers import open_layers
from .opener import Opener, Scope
from .rules import DIRECT_WITH_ENVELOPE, KeyRules, NamespaceRule

MAX_PAYLOAD = 64 * 2**20


class KmsCodec(PayloadCodec, WithSerializationContext):
    """Use one per process and event loop. Raises :class:`KmsCodecError` only.

    :param namespace: the namespace where a call has no context, whose messages are read in others' contexts as well
    :param max_call: most bytes of plaintext in one call, all its payloads together
    :param bind_workflow: bind messages to their workflow too; not where Nexus results are read
    :param inner_codecs: other codecs decode after this one: ``decode`` gives them an inner payload that this codec does
        not read, instead of refusing it with ``layer_unreadable``
    """

    def __init__(
        self,
        rules: KeyRules,
        service: KeyService,
        *,
        namespace: str | None = None,
        compression: bool = False,
        bind_workflow: bool = False,
        inner_codecs: bool = False,
        max_decompressed: int = zstd.DEFAULT_LIMIT,
        max_call: int = DEFAULT_CALL_LIMIT,
        activity_budget: float = 60.0,
        other_budget: float = 5.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self._rules = rules
        self._service = service
        self._namespace = namespace
        self._compression = compression
        self._bind_workflow = bind_workflow
        self._inner_codecs = inner_codecs
        self._max_decompressed = max_decompressed
        self._max_call = max_call
        self._budgets = (activity_budget, other_budget)
        opened = OpenedKeys(service, clock)
        self._opener = Opener(service, opened, max_decompressed)
        self._sealing = SealingKeys(service, opened, clock)
        self._context: SerializationContext | None = None

    def with_context(self, context: SerializationContext) -> "KmsCodec":
        """The same codec, keys and caches, in a workflow's or activity's context."""
        bound = copy.copy(self)
        bound._context = context
        return bound

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if not payloads:
            return []
        scope = self._scope()
        return [await self._seal(payload, scope) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if not payloads:
            return []
        scope = self._scope()
        return list(await asyncio.gather(*[self._open(payload, scope) for payload in payloads]))

    async def _open(self, payload: Payload, scope: Scope) -> Payload:
        _check_size(payload)
        return await open_layers(
            self._opener,
            payload,
            scope,
            max_decompressed=self._max_decompressed,
            inner_codecs=self._inner_codecs,
        )

    async def _seal(self, payload: Payload, scope: Scope) -> Payload:
        if format_of(payload) == "external":
            return payload
        crypto_key = scope.rule.encrypt
        if crypto_key is None:
            raise KmsCodecError("key_not_allowed", f"No key that encrypts is configured for {scope.namespace}")
        _check_size(payload)
        scope.plaintext.take(len(payload.data))
        plaintext = payload.SerializeToString()
        frame = zstd.compress(plaintext) if self._compression else None
        key = await self._sealing.take(crypto_key, scope.namespace, len(plaintext), scope.budget)
        bound_to = scope.workflow_id if self._bind_workflow else None
        header = bytes(
            Header(
                compressed=frame is not None,
                key_id=key_id(crypto_key),
                key_version=key.wrapped.key_version,
                namespace_tag=namespace_tag(scope.namespace),
                workflow_tag=None if bound_to is None else workflow_tag(scope.namespace, bound_to),
                wrapped_key=key.wrapped.ciphertext,
            )
        )
        data = header + seal(key.cipher, plaintext if frame is None else frame, header)
        message = Payload(metadata={"encoding": ENVELOPE_V2}, data=data)
        # Metadata and the header count when it is decrypted: what could not be read may not be written.
        _check_size(message)
        return message

    def _scope(self) -> Scope:
        context, workflow_id, namespace = self._context, None, self._namespace or "default"
        if isinstance(context, (WorkflowSerializationContext, ActivitySerializationContext)):
            namespace, workflow_id = context.namespace, context.workflow_id
        budget = self._budgets[0 if isinstance(context, ActivitySerializationContext) else 1]
        rule = self._rules.resolve(namespace)
        accepted = self._accepted(namespace, rule)
        if self._namespace is not None and self._namespace != namespace:
            accepted += self._accepted(self._namespace, self._rules.resolve(self._namespace))
        return Scope(namespace, rule, accepted, workflow_id, budget, CallBudget(self._max_call))

    def _accepted(self, namespace: str, rule: NamespaceRule) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """An accepted namespace's messages may be under the reader's keys or, where it is named, under its own."""
        named = self._rules.namespaces
        others = [(other, rule.keys + (named[other].keys if other in named else ())) for other in rule.accepts]
        return ((namespace, rule.keys), *others)


def load_kms_codec(env: Mapping[str, str] = os.environ) -> KmsCodec:
    """The codec that the environment describes: ``KMS_KEYS_FILE``, or the guide's ``GCP_*`` variables for one key.

    Call it in the event loop that will use the codec: the connection to Cloud KMS belongs to it.

    :raises KeyError: a variable is missing
    :raises ValueError: the keys file is wrong, or the emulator isn't on loopback
    """
    emulator, namespace = env.get("KMS_EMULATOR_HOST"), env.get("TEMPORAL_NAMESPACE")
    if "KMS_KEYS_FILE" in env and "GCP_KMS_KEY" in env:
        raise ValueError("KMS_KEYS_FILE and GCP_KMS_KEY are both set; use one of them")
    if "KMS_KEYS_FILE" in env and "KMS_UNSAFE" in env:
        raise ValueError("KMS_UNSAFE counts without KMS_KEYS_FILE only; write unsafe into the rules of the keys file")
    if "KMS_KEYS_FILE" in env:
        rules = read_keys_file(Path(env["KMS_KEYS_FILE"]))
    else:
        path = CRYPTO_KEY_PATH.format(
            env["GCP_PROJECT"], env.get("GCP_KMS_LOCATION", "global"), env["GCP_KMS_KEY_RING"], env["GCP_KMS_KEY"]
        )
        if not is_crypto_key(path):
            raise ValueError(f"GCP_KMS_KEY makes the name {path}, which is no crypto key's")
        rules = KeyRules({}, _guide_rule(path, env))
    return KmsCodec(rules, CloudKms.connect(emulator), namespace=namespace)


def _guide_rule(key: str, env: Mapping[str, str]) -> NamespaceRule:
    """Reads the guide's own format, or its second one where that is written, or both where the risk is accepted."""
    written, unsafe = env.get("KMS_FORMAT", "envelope-v2"), env.get("KMS_UNSAFE")
    if written not in ("envelope-v2", "envelope", "direct"):
        raise ValueError(f"KMS_FORMAT is {written}; it must be envelope-v2, envelope or direct")
    if unsafe not in (None, DIRECT_WITH_ENVELOPE):
        raise ValueError(f"KMS_UNSAFE is {unsafe}; it must be {DIRECT_WITH_ENVELOPE}")
    if unsafe is not None:
        reads = {"envelope-v2", "envelope", "direct"}
        return NamespaceRule(encrypt=key, reads=frozenset(reads), unsafe=frozenset({unsafe}))
    return NamespaceRule(encrypt=key, reads=frozenset({"envelope-v2", "envelope" if written == "envelope" else "direct"}))


CRYPTO_KEY_PATH = "projects/{}/locations/{}/keyRings/{}/cryptoKeys/{}"


def _check_size(payload: Payload) -> None:
    if len(payload.data) > MAX_PAYLOAD:
        raise KmsCodecError("too_large", f"A payload of {len(payload.data)} bytes; the limit is {MAX_PAYLOAD}")
