"""Tests the effect of the plugin on workflow modules. packages/kms-codec/test/interop runs a worker with the plugin on
a Temporal server."""

import asyncio

import pytest
from fake_kms import FakeKms
from refund_workflow import Refund
from temporalio import workflow
from temporalio.worker import ReplayerConfig, WorkerConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from test_codec import RULES

from temporal_kms import KmsCodec, KmsCodecPlugin


async def prepare(runner: WorkflowRunner) -> None:
    """Loads the workflow, as a worker does in its event loop."""
    runner.prepare_workflow(workflow._Definition.must_from_class(Refund))


@pytest.mark.parametrize("is_replayer", [False, True])
def test_workflow_modules_can_import_the_package(is_replayer: bool) -> None:
    plugin = KmsCodecPlugin(KmsCodec(RULES, FakeKms()))
    runner = SandboxedWorkflowRunner()
    configured = (
        plugin.configure_replayer(ReplayerConfig(workflow_runner=runner))
        if is_replayer
        else plugin.configure_worker(WorkerConfig(workflow_runner=runner))
    )["workflow_runner"]
    assert isinstance(configured, SandboxedWorkflowRunner)
    asyncio.run(prepare(configured))
    passed_through = configured.restrictions.passthrough_modules
    assert passed_through == runner.restrictions.passthrough_modules | {"temporal_kms"}
