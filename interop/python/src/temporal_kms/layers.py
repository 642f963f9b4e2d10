"""Decrypts payloads inside payloads: what another codec encrypted or compressed before this codec encrypted it."""

from temporalio.api.common.v1 import Payload

from .compression_marker import decompress_marked, is_compressed, is_decompressible, unknown_compression
from .decryptor import PayloadDecryptor, Scope, pass_through, proxy_key, static_key
from .errors import KmsCodecError
from .formats import format_of

MAX_LAYERS = 4
"""The maximum number of layers of encryption of one payload."""


async def decrypt_layers(
    decryptor: PayloadDecryptor, stored: Payload, scope: Scope, *, max_decompressed: int, inner_codecs: bool
) -> Payload:
    """Decrypts a stored payload, and the layers inside it that the rule of its namespace reads.

    :param inner_codecs: other codecs decode after this codec and get a layer that this codec does not read
    :raises KmsCodecError: ``layer_unreadable``, or the reason code of a layer
    """
    payload = stored
    if is_compressed(stored):
        if format_of(stored) in ("plain", "external"):
            pass_through(stored, scope)
        if is_decompressible(stored):
            payload = decompress_marked(stored, max_decompressed, scope.plaintext.take)
    decrypted = await decryptor.decrypt(payload, scope)
    if decrypted is payload:
        return payload
    layers = 1
    while True:
        if is_compressed(decrypted):
            if not is_decompressible(decrypted):
                return _foreign(decrypted, inner_codecs, unknown_compression())
            decrypted = decompress_marked(decrypted, max_decompressed, scope.plaintext.take)
            continue
        kind = format_of(decrypted)
        if kind == "external" or (kind == "plain" and decrypted.metadata.get("encoding", b"") != b"binary/encrypted"):
            return decrypted
        if not _is_read_here(kind, decrypted, scope):
            what = "encrypted, and names no key" if kind == "plain" else f"in the format {kind}"
            error = KmsCodecError(
                "layer_unreadable",
                f"The payload was decrypted; its content is {what}, which {scope.namespace} does not read: "
                "list the format under reads, and its key",
            )
            return _foreign(decrypted, inner_codecs, error)
        if layers == MAX_LAYERS:
            raise KmsCodecError("layer_unreadable", f"The payload has more than {MAX_LAYERS} layers of encryption")
        decrypted = await decryptor.decrypt(decrypted, scope)
        layers += 1


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
