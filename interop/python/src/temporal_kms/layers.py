"""Decrypts payloads inside payloads. Another codec has encrypted or compressed an inner payload before this codec
encrypted it."""

from temporalio.api.common.v1 import Payload

from .compression_marker import compressed_elsewhere, is_compressed
from .decryptor import PayloadDecryptor, Scope, proxy_key, static_key
from .errors import KmsCodecError
from .formats import format_of

MAX_LAYERS = 4
"""Maximum number of layers of encryption around a payload."""


async def decrypt_layers(decryptor: PayloadDecryptor, stored: Payload, scope: Scope, *, inner_codecs: bool) -> Payload:
    """Decrypts a stored payload, and the layers in it that the namespace's rule reads.

    :param inner_codecs: whether other codecs decode after this codec and receive layers that this codec cannot read
    :raises KmsCodecError: ``layer_unreadable``, or the reason code for the layer that failed
    """
    decrypted = await decryptor.decrypt(stored, scope)
    if decrypted is stored:
        return stored
    layers = 1
    while True:
        if is_compressed(decrypted):
            return _foreign(decrypted, inner_codecs, compressed_elsewhere())
        kind = format_of(decrypted)
        if kind == "external" or (kind == "plain" and decrypted.metadata.get("encoding") != b"binary/encrypted"):
            return decrypted
        if not _is_read_here(kind, decrypted, scope):
            what = "encrypted and names no key" if kind == "plain" else f"in the format {kind}"
            error = KmsCodecError(
                "layer_unreadable",
                f"The payload was decrypted, but its content is {what}, which {scope.namespace} does not read: "
                "list the format under reads, and the key under decrypt",
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
