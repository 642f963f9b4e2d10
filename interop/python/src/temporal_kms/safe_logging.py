"""Removes payload content from the log entries of Temporal's SDK (see the README)."""

import json
import logging
import re
import warnings
from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from .errors import KmsCodecError

ROOT = "temporalio"
WITHHELD = "Message withheld: it may hold plaintext"
MAX_CAUSES = 8
MAX_TEXT = 256

#: The loggers through which workflow, activity and Nexus code logs. The SDK itself also uses them in a few places.
_OF_APPLICATIONS = ("temporalio.workflow", "temporalio.activity", "temporalio.nexus")
#: The messages that the SDK itself logs through these loggers, up to the interpolated part.
_OF_SDK = {
    "Completing activity as failed",
    "Completing as cancelled",
    "Completing as failure due to unhandled cancel error produced by activity pause",
    "Completing as failure due to unhandled cancel error produced by activity reset",
    "Completing as failure during heartbeat with error of type",
    "Completing asynchronously",
    "Exception handling failed, original error",
    "Failed completing activity task",
    "Final heartbeat task didn't trap error",
    "Starting activity",
}
#: The SDK's names for ids, which are keys of `temporal_workflow` and `temporal_activity`, and their names in our log.
_IDS = {
    "namespace": "namespace",
    "task_queue": "taskQueue",
    "workflow_type": "workflowType",
    "workflow_id": "workflowId",
    "run_id": "workflowRunId",
    "workflow_run_id": "workflowRunId",
    "activity_type": "activityType",
    "activity_id": "activityId",
    "attempt": "attempt",
    "update_id": "updateId",
    "update_name": "updateName",
}
#: Matches what precedes an interpolated value: a colon, a bracket, a line end, a placeholder or one of these words.
_INTERPOLATED = re.compile(r" type <|:|\n|\(|%| (?:on|in) workflow| with run ID| for \S+ on |, but ")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_$.:@/-]{1,100}")
_STANDARD = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_FIELDS = "temporal_kms_fields"


class SafeLogFilter(logging.Filter):
    """Reduces entries from Temporal's SDK to content that cannot be plaintext.

    Keeps the level, the SDK's constant messages, ids, types and error codes. Drops errors' messages and tracebacks,
    arguments and all other attributes. Entries from other loggers pass unchanged.

    :param application_messages: whether to keep the messages that workflow, activity and Nexus code logs. Set this only
        if the code logs no payload content
    :param attributes: names of further attributes to keep if their values are numbers or strings
    """

    def __init__(self, *, application_messages: bool = False, attributes: Collection[str] = ()) -> None:
        super().__init__()
        self._application_messages = application_messages
        self._attributes = frozenset(attributes)

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes the record in place. Returns true, so that every record passes."""
        if record.name != ROOT and not record.name.startswith(f"{ROOT}."):
            return True
        if _FIELDS in record.__dict__:
            return True
        fields = self._fields(record)
        message = self._message(record)
        for name in [name for name in record.__dict__ if name not in _STANDARD]:
            del record.__dict__[name]
        record.msg, record.args = _printable(message), None
        record.exc_info = record.exc_text = record.stack_info = None
        record.__dict__[_FIELDS] = fields
        return True

    def _message(self, record: logging.LogRecord) -> str:
        is_application = record.name in _OF_APPLICATIONS
        if record.funcName == "default_exception_handler":
            return "Unhandled exception in the event loop of a workflow"
        if not isinstance(record.msg, str):
            return WITHHELD
        constant = _INTERPOLATED.split(record.msg, maxsplit=1)[0].strip()
        if not is_application or constant in _OF_SDK:
            return constant
        return record.getMessage() if self._application_messages else WITHHELD

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for attribute in ("temporal_workflow", "temporal_activity"):
            details = record.__dict__.get(attribute)
            if isinstance(details, Mapping):
                fields |= {name: _shown(details[key]) for key, name in _IDS.items() if _is_plain(details.get(key))}
        for name in sorted(self._attributes):
            if _is_plain(record.__dict__.get(name)):
                fields[name] = _shown(record.__dict__[name])
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        return fields if error is None else fields | error_fields(error)


def error_fields(error: BaseException) -> dict[str, Any]:
    """Returns the name, type and code of an error and its causes, and a :class:`KmsCodecError`'s message."""
    causes: list[str] = []
    seen, cause = {id(error)}, error.__cause__ or error.__context__
    while cause is not None and id(cause) not in seen and len(causes) < MAX_CAUSES:
        seen.add(id(cause))
        causes.append(" ".join(str(part) for part in _own_fields(cause).values()))
        cause = cause.__cause__ or cause.__context__
    fields = _own_fields(error)
    if isinstance(error, KmsCodecError):
        fields["reason"] = _printable(error.message, 2_000)
    return fields | ({"causes": causes} if causes else {})


def _own_fields(error: BaseException) -> dict[str, Any]:
    name = type(error).__name__
    fields: dict[str, Any] = {"error": name if _IDENTIFIER.fullmatch(name) else "Exception"}
    if isinstance(error, ApplicationError) and _IDENTIFIER.fullmatch(error.type or ""):
        fields["errorType"] = error.type
    if isinstance(error, KmsCodecError):
        fields["errorCode"] = error.code
    elif isinstance(error, RPCError):
        fields["errorCode"] = int(error.status)
    return fields


class JsonFormatter(logging.Formatter):
    """Formats entries as lines of JSON, in the same format as the TypeScript programs' logs."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the entry as one line."""
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {
            "time": time.replace("+00:00", "Z"),
            "severity": record.levelname,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _SafeHandler(logging.Handler):
    """Passes entries from Temporal's loggers, without payload content, to the root logger's handlers."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger().handle(record)


def install_safe_logging(*, application_messages: bool = False, attributes: Collection[str] = ()) -> None:
    """Removes payload content from everything that Temporal's SDK logs, before any handler receives it.

    Call this function before the first connection. The root logger's handlers still determine where entries go. The
    parameters are the same as those of :class:`SafeLogFilter`.
    """
    logger = logging.getLogger(ROOT)
    handler = _SafeHandler()
    handler.addFilter(SafeLogFilter(application_messages=application_messages, attributes=attributes))
    logger.handlers, logger.propagate = [handler], False


def warn_of_unsafe_logging() -> None:
    """Warns if any of Temporal's loggers has a handler that receives entries with payload content."""
    logger = logging.getLogger(ROOT)
    is_installed = not logger.propagate and all(isinstance(handler, _SafeHandler) for handler in logger.handlers)
    others = [
        one
        for name, one in logging.Logger.manager.loggerDict.items()
        if name.startswith(f"{ROOT}.") and isinstance(one, logging.Logger) and one.handlers
    ]
    if is_installed and not any(_is_unsafe(handler) for one in others for handler in one.handlers):
        return
    warnings.warn(
        "This worker's log may show plaintext: Temporal's loggers write failure messages, tracebacks and inputs. Call "
        "temporal_kms.install_safe_logging() before the first connection.",
        stacklevel=3,
    )


def _is_unsafe(handler: logging.Handler) -> bool:
    return not any(isinstance(one, SafeLogFilter) for one in handler.filters)


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float))


def _shown(value: Any) -> Any:
    return _printable(value) if isinstance(value, str) else value


def _printable(text: str, limit: int = MAX_TEXT) -> str:
    """Shortens text to ``limit`` characters and escapes unprintable characters."""
    cut = text if len(text) <= limit else f"{text[:limit]}…"
    return "".join(one if one.isprintable() else f"\\u{{{ord(one):x}}}" for one in cut)
