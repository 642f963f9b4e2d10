"""Decodes with two codecs while an application moves to a :class:`KmsCodec` (see docs/moving.md)."""

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from .codec import KmsCodec


class MovingCodec(PayloadCodec, WithSerializationContext):
    """Decodes payloads from both a ``KmsCodec`` and an earlier codec, and encodes with only one of them.

    :param codec: the codec that decodes first
    :param earlier: the codec that decodes payloads that ``codec`` leaves unchanged; None if earlier payloads are in
        plaintext
    :param decode_only: if true, ``codec`` does not encrypt: the earlier codec encodes, or payloads stay in plaintext.
        Set this until every program can read the messages of a ``KmsCodec``
    """

    def __init__(self, codec: KmsCodec, earlier: PayloadCodec | None = None, *, decode_only: bool) -> None:
        super().__init__()
        self._codec = codec
        self._earlier = earlier
        self._decode_only = decode_only

    def with_context(self, context: SerializationContext) -> "MovingCodec":
        """Returns a copy of this codec for the context of a workflow or activity."""
        earlier = self._earlier
        if isinstance(earlier, WithSerializationContext):
            earlier = earlier.with_context(context)
        return MovingCodec(self._codec.with_context(context), earlier, decode_only=self._decode_only)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encodes the payloads with one of the codecs."""
        if not self._decode_only:
            return await self._codec.encode(payloads)
        return list(payloads) if self._earlier is None else await self._earlier.encode(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decodes each payload with the codec that encoded it.

        :raises KmsCodecError: as for ``KmsCodec.decode``
        """
        decoded = await self._codec.decode(payloads)
        return decoded if self._earlier is None else await self._earlier.decode(decoded)
