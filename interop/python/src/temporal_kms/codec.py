"""A Temporal ``PayloadCodec`` with keys in Cloud KMS. Writes ``binary/envelope-kms-v2`` and reads every format."""

import asyncio
import copy
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from . import zstd
from .aead import encrypt
from .call_budget import DEFAULT_CALL_LIMIT, CallBudget
from .clock import Clock, elapsed_clock
from .data_keys import EncryptionKeys
from .decryptor import Accepted, PayloadDecryptor, Scope, pass_through
from .errors import KmsCodecError
from .formats import ENVELOPE_V2, format_of, is_empty, is_failure_placeholder
from .header import Header, key_id, namespace_tag, parse_message, scheduled_workflow_id, workflow_tag
from .kms import KeyService
from .layers import decrypt_layers
from .loop_keys import LoopKeys
from .payload_reader import check_plaintext
from .per_loop import PerLoop
from .rules import KeyRules, NamespaceRule

MAX_PAYLOAD = 64 * 2**20
_EMPTY_MESSAGE = Payload(metadata={"encoding": ENVELOPE_V2})


class KmsCodec(PayloadCodec, WithSerializationContext):
    """Encrypts and decrypts payloads under the keys of their namespace.

    Use one codec per process. Each event loop has its own keys and connection. Raises only :class:`KmsCodecError`.

    :param namespace: the namespace of a call without a context. The codec also reads this namespace's messages in calls
        for other namespaces. The codec reads messages of any other namespace only if the rules name or accept that
        namespace
    :param compression: whether to compress payloads of at least 1 KiB with zstd, if the result is smaller
    :param bind_workflow: whether to bind messages to their workflow in addition to their namespace; do not set this if
        a workflow reads Nexus results
    :param inner_codecs: set this if other codecs decode after this codec: ``decode`` then returns an inner payload that
        this codec cannot read, instead of raising ``layer_unreadable``
    :param max_decompressed: maximum size of a decompressed payload, in bytes
    :param max_call: maximum total plaintext of all payloads in one call, in bytes
    :param activity_budget: how many seconds a call in an activity waits for Cloud KMS
    :param other_budget: how many seconds any other call waits for Cloud KMS
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
        clock: Clock | None = None,
    ) -> None:
        self._rules = rules
        self._namespace = namespace
        self._compression = compression
        self._bind_workflow = bind_workflow
        self._inner_codecs = inner_codecs
        self._max_decompressed = max_decompressed
        self._max_call = max_call
        self._budgets = (activity_budget, other_budget)
        self._keys = PerLoop(lambda: LoopKeys(service, clock or elapsed_clock(), max_decompressed))
        self._context: SerializationContext | None = None

    def with_context(self, context: SerializationContext) -> "KmsCodec":
        """Returns a codec with the same keys and caches, in the context of a workflow or activity."""
        bound = copy.copy(self)
        bound._context = context
        return bound

    def for_namespace(self, namespace: str) -> "KmsCodec":
        """Returns a codec with the same keys and caches, configured with another namespace."""
        configured = copy.copy(self)
        configured._namespace = namespace
        return configured

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypts payloads. References to external storage pass unchanged, unless the rule refuses plaintext.

        :raises KmsCodecError: a payload cannot be encrypted; ``code`` is the reason code
        """
        if not payloads:
            return []
        try:
            scope, keys = self._scope(decoding=False), self._keys.get().encryption_keys
            return [await self._encrypt(payload, scope, keys) for payload in payloads]
        except KmsCodecError as error:
            failure = error.bare()
        raise failure

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypts payloads with all their layers. Payloads that the codec did not encrypt pass unchanged, if the rule
        allows them.

        :raises KmsCodecError: a payload cannot be decrypted; ``code`` is the reason code
        """
        if not payloads:
            return []
        try:
            scope, decryptor = self._scope(decoding=True), self._keys.get().decryptor
            if len(payloads) == 1:
                return [await self._decrypt(payloads[0], scope, decryptor)]
            return list(await asyncio.gather(*[self._decrypt(payload, scope, decryptor) for payload in payloads]))
        except KmsCodecError as error:
            failure = error.bare()
        raise failure

    def may_be_stored(self, payload: Payload, namespace: str | None) -> bool:
        """Returns whether external storage may receive a payload. External storage may receive messages in the format
        ``envelope-v2``, empty payloads and the failure placeholder, and, if the namespace's rule passes plaintext, also
        plaintext."""
        if format_of(payload) == "envelope-v2":
            try:
                parse_message(payload.data)
            except KmsCodecError:
                return False
            return True
        if format_of(payload) != "plain":
            return False
        if is_empty(payload) or is_failure_placeholder(payload):
            return True
        named = namespace or self._namespace or "default"
        rule = self._rules.namespaces.get(named, self._rules.default)
        return rule is not None and rule.plaintext == "pass"

    async def _decrypt(self, payload: Payload, scope: Scope, decryptor: PayloadDecryptor) -> Payload:
        _check_size(len(payload.data))
        return await decrypt_layers(decryptor, payload, scope, inner_codecs=self._inner_codecs)

    async def _encrypt(self, payload: Payload, scope: Scope, keys: EncryptionKeys) -> Payload:
        if format_of(payload) == "external":
            return pass_through(payload, scope)
        crypto_key = scope.rule.encrypt
        if crypto_key is None:
            raise KmsCodecError(
                "key_not_allowed",
                f"The rule for the namespace {scope.namespace} names no crypto key for encryption; "
                'add "encrypt" to the rule',
            )
        is_required = scope.rule.workflow_tag is not None
        bound_to = self._bound_workflow_id() if self._bind_workflow or is_required else None
        if is_required and not bound_to:
            raise KmsCodecError(
                "format_not_allowed",
                f"The namespace {scope.namespace} requires a workflow tag in each message, but the context names no "
                'workflow; remove "workflowTag" from its rule if the program must write messages without a tag',
            )
        size = len(payload.data)
        _check_size(size)
        scope.plaintext.take(size)
        plaintext = payload.SerializeToString()
        _check_known_fields(plaintext, scope)
        frame = zstd.compress(plaintext, self._max_decompressed) if self._compression else None
        # A reader counts the whole plaintext and, if the message is compressed, also the compressed bytes.
        scope.plaintext.take(len(plaintext) - size + len(frame or b""))
        key = await keys.take(crypto_key, scope.namespace, len(plaintext), scope.budget)
        header = bytes(
            Header(
                compressed=frame is not None,
                key_id=key_id(crypto_key),
                key_version=key.branch.wrapped.key_version,
                namespace_tag=namespace_tag(scope.namespace),
                workflow_tag=None if bound_to is None else workflow_tag(scope.namespace, bound_to),
                salt=key.salt,
                commitment=key.derived.commitment,
                wrapped_key=key.branch.wrapped.ciphertext,
            )
        )
        data = header + encrypt(key.derived.cipher, plaintext if frame is None else frame, header)
        # A reader counts the whole message, including the header and the payload's metadata. The codec must
        # never write a message that no reader would accept.
        _check_size(len(data))
        message = Payload()
        message.CopyFrom(_EMPTY_MESSAGE)  # takes a third of the time of setting the metadata
        message.data = data
        return message

    def _scope(self, *, decoding: bool) -> Scope:
        """Returns a call's scope.

        If the codec has a namespace, and the rules do not name the context's namespace, the rule of the codec's
        namespace applies to decoding. A context alone therefore does not let the codec read another namespace.
        """
        context, workflow_id, own = self._context, None, self._namespace
        namespace = "default" if own is None else own
        if isinstance(context, (WorkflowSerializationContext, ActivitySerializationContext)):
            namespace, workflow_id = context.namespace, context.workflow_id
        budget = self._budgets[0 if isinstance(context, ActivitySerializationContext) else 1]
        rule = self._rules.resolve(namespace)
        accepted = self._accepted(namespace, rule)
        if own is not None and own != namespace:
            own_rule = self._rules.resolve(own)
            if decoding and namespace not in self._rules.namespaces:
                rule, accepted = own_rule, ()
            accepted = _joined(accepted + self._accepted(own, own_rule))
        return Scope(namespace, rule, accepted, workflow_id, budget, CallBudget(self._max_call), self._rules.denies)

    def _bound_workflow_id(self) -> str | None:
        """Returns the workflow id that a message is bound to, or None if the context names no workflow.

        In a workflow's context, removes the timestamp that a schedule appends, because Temporal passes the result or
        failure of a schedule's workflow to the schedule's next workflow. In an activity's context, returns the id
        unchanged, because an activity's payloads stay in their workflow.
        """
        context = self._context
        if isinstance(context, ActivitySerializationContext):
            return context.workflow_id or None
        if isinstance(context, WorkflowSerializationContext) and context.workflow_id:
            return scheduled_workflow_id(context.workflow_id)
        return None

    def _accepted(self, namespace: str, rule: NamespaceRule) -> Accepted:
        """Returns each namespace whose messages this namespace is allowed to read, with the keys that may have
        encrypted them.

        The keys are the reader's keys and, if the keys file names the accepted namespace, that namespace's keys.
        """
        named = self._rules.namespaces
        others = [(other, rule.keys + (named[other].keys if other in named else ())) for other in rule.accepts]
        return ((namespace, rule.keys), *others)


def _joined(accepted: Accepted) -> Accepted:
    """Merges the lists of namespaces that two rules accept: the rule of the call's namespace and that of the codec's
    namespace. A namespace in both lists gets the keys from both."""
    keys: dict[str, tuple[str, ...]] = {}
    for namespace, listed in accepted:
        keys[namespace] = keys.get(namespace, ()) + listed
    return tuple(keys.items())


def _check_known_fields(plaintext: bytes, scope: Scope) -> None:
    """Refuses to encrypt a payload in which a parser has kept fields that this version does not know."""
    try:
        check_plaintext(plaintext, scope.plaintext.take)
    except KmsCodecError as error:
        if error.code != "malformed":
            raise
        raise KmsCodecError(
            "malformed",
            "The payload has fields that this version does not know and that no reader accepts; update the package",
        ) from None


def _check_size(size: int) -> None:
    if size > MAX_PAYLOAD:
        raise KmsCodecError("too_large", f"The payload has {size} bytes; the limit is {MAX_PAYLOAD}")
