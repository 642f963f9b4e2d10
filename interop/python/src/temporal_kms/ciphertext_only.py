"""A driver for Temporal's external storage. Needs ``temporalio`` 1.24 or later."""

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)

from .codec import KmsCodec
from .errors import KmsCodecError


class CiphertextOnlyDriver(StorageDriver):
    """Stores a payload only if the codec has encrypted it:
    ``ExternalStorage(drivers=[CiphertextOnlyDriver(driver, codec)])``.

    If the codec has not encrypted a payload, for example because a client lacks the plugin, stores none of the call's
    payloads and raises :class:`KmsCodecError` ``format_not_allowed``. Plaintext passes only if the namespace's rule has
    ``plaintext: pass``.
    """

    def __init__(self, driver: StorageDriver, codec: KmsCodec) -> None:
        self._driver = driver
        self._codec = codec

    def name(self) -> str:
        """Returns the driver's name."""
        return self._driver.name()

    def type(self) -> str:
        """Returns the driver's type."""
        return self._driver.type()

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Stores payloads.

        :raises KmsCodecError: ``format_not_allowed``
        """
        namespace = context.target.namespace if context.target else None
        if not all(self._codec.may_be_stored(payload, namespace) for payload in payloads):
            raise KmsCodecError(
                "format_not_allowed",
                "External storage received a payload that this codec has not encrypted, and did not store it. Give the "
                "client the plugin",
            )
        return await self._driver.store(context, payloads)

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """Retrieves payloads."""
        return await self._driver.retrieve(context, claims)
