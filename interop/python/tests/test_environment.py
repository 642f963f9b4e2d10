"""Tests how the codec is loaded from environment variables."""

import asyncio
import warnings

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import WorkflowSerializationContext
from test_codec import KEY

from temporal_kms import load_kms_codec
from temporal_kms.header import Header, parse_message

GUIDE = {"GCP_PROJECT": "p", "GCP_KMS_KEY_RING": "r", "GCP_KMS_KEY": "pay", "KMS_EMULATOR_HOST": "127.0.0.1:1"}


def header_with(emulator: str, **settings: str) -> Header:
    """Returns the header of a message that a codec with these settings writes in a workflow's context."""
    codec = load_kms_codec({**GUIDE, "KMS_EMULATOR_HOST": emulator, **settings})
    bound = codec.with_context(WorkflowSerializationContext("default", "order-1"))
    [message] = asyncio.run(bound.encode([Payload(data=bytes(2000))]))
    return parse_message(message.data).header


@pytest.mark.parametrize(("value", "is_bound"), [("true", True), ("false", False), (None, False)])
def test_kms_bind_workflow_controls_workflow_binding(emulator: str, value: str | None, is_bound: bool) -> None:
    header = header_with(emulator, **({} if value is None else {"KMS_BIND_WORKFLOW": value}))
    assert (header.workflow_tag is not None) == is_bound


@pytest.mark.parametrize(("value", "is_compressed"), [("zstd", True), ("none", False)])
def test_kms_compression_controls_compression(emulator: str, value: str, is_compressed: bool) -> None:
    assert header_with(emulator, KMS_COMPRESSION=value).compressed == is_compressed


@pytest.mark.parametrize(
    ("change", "reads"),
    [
        ({}, {"envelope-v2", "direct"}),
        ({"KMS_FORMAT": "direct"}, {"envelope-v2", "direct"}),
        ({"KMS_FORMAT": "envelope"}, {"envelope-v2", "envelope"}),
        ({"KMS_UNSAFE": "direct-with-envelope"}, {"envelope-v2", "envelope", "direct"}),
    ],
)
def test_the_guides_variables_allow_the_guides_formats(change: dict[str, str], reads: set[str]) -> None:
    rule = load_kms_codec({**GUIDE, **change})._rules.resolve("any")
    assert (rule.keys, rule.reads) == ((KEY,), reads)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"KMS_EMULATOR_HOST": "kms.example:1"}, "loopback"),
        ({"KMS_KEYS_FILE": "x"}, "both set"),
        ({"KMS_FORMAT": "v3"}, "KMS_FORMAT"),
        ({"KMS_UNSAFE": "true"}, "KMS_UNSAFE"),
        ({"KMS_BIND_WORKFLOW": "1"}, "KMS_BIND_WORKFLOW"),
        ({"KMS_BIND_WORKFLOW": "True"}, "KMS_BIND_WORKFLOW"),
        ({"KMS_COMPRESSION": "gzip"}, "KMS_COMPRESSION"),
        ({"GCP_KMS_KEY": "a/b"}, "a/b"),
    ],
)
def test_refuses_a_wrong_environment(change: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_kms_codec({**GUIDE, **change})


@pytest.mark.parametrize("unset", [{}, {"GCP_PROJECT": "", "GCP_KMS_KEY_RING": "", "GCP_KMS_KEY": ""}])
def test_reports_every_missing_variable(unset: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="GCP_PROJECT and GCP_KMS_KEY_RING and GCP_KMS_KEY"):
        load_kms_codec(unset)


def test_warns_about_variables_that_have_no_effect() -> None:
    with pytest.warns(UserWarning, match="KMS_BIND_WORKFLOWS, KMS_BRANCH_KEYS"):
        load_kms_codec({**GUIDE, "KMS_BRANCH_KEYS": "none", "KMS_BIND_WORKFLOWS": "true", "PATH": "/bin"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_kms_codec({**GUIDE, "KMS_BIND_WORKFLOW": "true", "GCP_KMS_LOCATION": "global"})
