"""Tests that Temporal's loggers write no payload content. packages/kms-codec/test/interop tests a real worker."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError

from temporal_kms import JsonFormatter, KmsCodecError, SafeLogFilter, install_safe_logging
from temporal_kms.safe_logging import WITHHELD, warn_of_unsafe_logging


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Restores the loggers after a test."""
    root, temporal = logging.getLogger(), logging.getLogger("temporalio")
    before = (root.handlers[:], root.level, temporal.handlers[:], temporal.propagate)
    yield
    root.handlers[:], level, temporal.handlers, temporal.propagate = before
    root.setLevel(level)


@pytest.fixture
def output() -> io.StringIO:
    """Returns the output of a handler of the root logger."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG)
    return text


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def fail() -> None:
    try:
        raise ValueError("canary cause")
    except ValueError as error:
        raise ApplicationError("canary message", "canary detail", type="CardRefused") from error


def log_failure(logger: Any, message: Any, *args: object, **more: Any) -> None:
    try:
        fail()
    except ApplicationError:
        logger.warning(message, *args, exc_info=True, **more)


@pytest.mark.parametrize(
    ("name", "message", "expected"),
    [
        (
            "temporalio.activity",
            "Completing activity as failed ({'activity_id': '1'})",
            "Completing activity as failed",
        ),
        ("temporalio.activity", "canary", WITHHELD),
        ("temporalio.activity", "Completing activity as failed for canary", WITHHELD),
        ("temporalio.workflow", "canary", WITHHELD),
        ("temporalio.nexus", ValueError("canary"), WITHHELD),
        ("temporalio.worker._activity", "Exception handling failed, original error: canary", None),
        ("temporalio.worker._activity", "Recording heartbeat with details %s", "Recording heartbeat with details"),
        ("temporalio.worker._workflow", "Received workflow activation:\ncanary", "Received workflow activation"),
        ("temporalio.worker._workflow_instance", "Failed activation on workflow canary with ID c", "Failed activation"),
    ],
)
def test_keeps_only_the_constant_part_of_a_message(output: io.StringIO, name: str, message: Any, expected: Any) -> None:
    install_safe_logging()
    args = ("canary argument",) if "%s" in str(message) else ()
    log_failure(logging.getLogger(name), message, *args, stack_info=True, extra={"card": "canary"})
    [line] = lines(output)
    assert "canary" not in output.getvalue()
    assert line["message"] == (expected or "Exception handling failed, original error")
    assert line["severity"] == "WARNING"
    assert (line["error"], line["errorType"], line["causes"]) == ("ApplicationError", "CardRefused", ["ValueError"])


def test_keeps_ids_and_listed_attributes(output: io.StringIO) -> None:
    install_safe_logging(attributes=["order"])
    extra = {
        "order": "o-1",
        "temporal_activity": {"activity_id": "7", "attempt": 2, "card": "canary"},
        "card": "canary",
    }
    activity.logger.info("canary", extra=extra)
    [line] = lines(output)
    assert line == line | {"order": "o-1", "activityId": "7", "attempt": 2}
    assert "canary" not in output.getvalue()


def test_keeps_a_codec_errors_message_and_drops_error_types_with_spaces(output: io.StringIO) -> None:
    install_safe_logging()
    for error in (KmsCodecError("key_disabled", "the key is disabled"), ApplicationError("x", type="a canary")):
        logging.getLogger("temporalio.worker").error("failed", exc_info=error)
    [first, second] = lines(output)
    assert first == first | {"errorCode": "key_disabled", "reason": "the key is disabled"}
    assert "errorType" not in second


def test_leaves_other_loggers_and_kept_messages_unchanged(output: io.StringIO) -> None:
    install_safe_logging(application_messages=True)
    logging.getLogger("shop").info("order %s", "o-1")
    activity.logger.info("order %s", "o-2")
    assert [line["message"] for line in lines(output)] == ["order o-1", "order o-2"]


def test_warns_if_the_filter_is_missing_or_a_handler_receives_unfiltered_entries() -> None:
    with pytest.warns(UserWarning, match="install_safe_logging"):
        warn_of_unsafe_logging()
    install_safe_logging()
    child = logging.getLogger("temporalio.worker._activity")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_unsafe_logging()
        handler = logging.StreamHandler(io.StringIO())
        handler.addFilter(SafeLogFilter())
        child.addHandler(handler)
        warn_of_unsafe_logging()
    handler.filters.clear()
    with pytest.warns(UserWarning, match="plaintext"):
        warn_of_unsafe_logging()
    child.removeHandler(handler)
