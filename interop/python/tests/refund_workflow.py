"""A workflow in a module that imports this package in the usual way (see test_plugin.py)."""

from temporalio import workflow

from temporal_kms import KmsCodecError


@workflow.defn
class Refund:
    @workflow.run
    async def run(self) -> str:
        return KmsCodecError.__name__
