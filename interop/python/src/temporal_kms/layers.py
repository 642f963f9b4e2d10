"""Payloads that one codec encrypted and that hold what another one encrypted or compressed."""

from temporalio.api.common.v1 import Payload

from .compression_marker import decompress_marked, is_compressed, is_decompressible, unknown_compression
from .errors import KmsCodecError
from .formats import format_of
from .opener import Opener, Scope, pass_through, proxy_key, static_key

MAX_LAYERS = 4
"""Most layers of encryption of one payload."""


async def open_layers(
    opener: Opener, stored: Payload, scope: Scope, *, max_decompressed: int, inner_codecs: bool
) -> Payload:
    """Decrypts a stored payload and whatever its namespace's rule reads of what was in it.

    :param inner_codecs: other codecs decode after this one, and get what it doesn't read of a payload that it decrypted
    :raises KmsCodecError: ``layer_unreadable``, and what the formats' readers find
    """
    payload = stored
    if is_compressed(stored):
        if format_of(stored) == "plain":
            pass_through(stored, scope)
        if is_decompressible(stored):
            payload = _decompressed(stored, scope, max_decompressed)
    opened = await opener.open(payload, scope)
    if opened is payload:
        return payload
    layers = 1
    while True:
        if is_compressed(opened):
            if not is_decompressible(opened):
                return _foreign(opened, inner_codecs, unknown_compression())
            opened = _decompressed(opened, scope, max_decompressed)
            continue
        kind = format_of(opened)
        if kind == "external" or (kind == "plain" and opened.metadata.get("encoding", b"") != b"binary/encrypted"):
            return opened
        if not _is_read_here(kind, opened, scope):
            what = "encrypted, and names no key" if kind == "plain" else f"in the format {kind}"
            error = KmsCodecError(
                "layer_unreadable",
                f"The payload was decrypted; what it holds is {what}, which {scope.namespace} does not read: "
                'list the format under the rule\'s "reads", and its key',
            )
            return _foreign(opened, inner_codecs, error)
        if layers == MAX_LAYERS:
            raise KmsCodecError("layer_unreadable", f"The payload is encrypted more than {MAX_LAYERS} times over")
        opened = await opener.open(opened, scope)
        layers += 1


def _decompressed(payload: Payload, scope: Scope, limit: int) -> Payload:
    result = decompress_marked(payload, scope.plaintext.at_most(limit))
    scope.plaintext.take(len(result.data))
    return result


def _foreign(payload: Payload, inner_codecs: bool, error: KmsCodecError) -> Payload:
    if inner_codecs:
        return payload
    raise error


def _is_read_here(kind: str, payload: Payload, scope: Scope) -> bool:
    if kind not in scope.rule.reads:
        return False
    if kind == "proxy":
        return proxy_key(payload, scope) is not None
    return kind != "static" or static_key(payload, scope) is not None
