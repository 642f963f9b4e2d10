"""Reads only the subset of YAML that all YAML 1.1 and 1.2 parsers read the same way.

packages/kms-codec has a strict YAML reader with the same rules, which docs/wire-formats.md describes.
packages/vectors/files/strict-yaml.json contains the vectors for both readers.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 2**20
MAX_DEPTH = 16
MAX_KEY = 500
"""Maximum length of a key up to its colon, in characters. YAML parsers look for the colon on the key's line, within
1,024 characters."""
UNSAFE_NAMES = frozenset({"__proto__", "constructor", "prototype"})

_WORDS = re.compile(r"(?:y|n|yes|no|on|off|true|false|null)\Z", re.IGNORECASE | re.ASCII)
_WHOLE_NUMBER = re.compile(r"(?:0|-?[1-9][0-9]{0,14})\Z", re.ASCII)
_AMBIGUOUS = re.compile(r"\A[-+.0-9~=<:]|\?", re.ASCII)
_COLON = re.compile(" *:")
_FORBIDDEN = re.compile(
    "[^\n\r\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\ufeff]")
_END = re.compile(r"(?:\A|\n)\.\.\.(?:\r?\n)*\Z")


class StrictYamlError(ValueError):
    """Raised if a file is refused. The message contains the reason and the line."""


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Reads a regular file twice, because the resolution of mtime is too low to detect every write during one read.

    :raises ValueError: the file is not regular, belongs to another user, can be written by others, is too large, or
        changed during the read
    :raises OSError: the file cannot be read
    """
    # O_NONBLOCK is necessary so that opening a FIFO does not wait for a writer.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise ValueError(f"{path} is not a regular file")
        if before.st_uid not in (0, os.geteuid()):
            raise ValueError(f"{path} belongs to the user {before.st_uid}: give it to root or to this user")
        if before.st_mode & 0o022:
            raise ValueError(f"{path} can be written by its group or by others: run chmod go-w")
        if before.st_size > max_bytes:
            raise ValueError(f"{path} has more than {max_bytes} bytes")
        content, again = (os.pread(handle, before.st_size, 0) for _ in range(2))
        if _identity(before) != _identity(os.fstat(handle)) or content != again:
            raise ValueError(f"{path} changed while it was read: write a new file and rename it to this name")
        return content
    finally:
        os.close(handle)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def parse_strict_yaml(content: bytes) -> Any:
    """Parses a file to mappings, lists, text, whole numbers and booleans.

    :raises StrictYamlError: the file has a mistake; the error describes the first mistake
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise StrictYamlError("is not valid UTF-8") from None
    _check_text(text)
    try:
        _check_tokens(text)
        events = iter(list(yaml.parse(text, Loader=yaml.SafeLoader)))
    # An escape above U+10FFFF causes a ValueError or an OverflowError.
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise StrictYamlError(f"is not valid YAML: {error}") from None
    next(events)
    first = next(events)
    if isinstance(first, yaml.StreamEndEvent):
        raise StrictYamlError("is empty")
    root = next(events)
    if isinstance(root, yaml.ScalarEvent) and root.value == "" and root.implicit[0]:
        raise StrictYamlError("is empty")
    value = _Reader(text, events).value(root, (), -1)
    next(events)
    if not isinstance(next(events), yaml.StreamEndEvent):
        raise StrictYamlError("contains a second YAML document; only one is allowed")
    return value


def _check_text(text: str) -> None:
    if found := _FORBIDDEN.search(text):
        raise StrictYamlError(f"contains the character U+{ord(found[0]):04X}, which is not allowed")
    if text.startswith("%") or "\n%" in text:
        raise StrictYamlError("contains a YAML directive (%), which is not allowed")
    end = _END.search(text)
    if end is None:
        raise StrictYamlError("does not end with a line that contains only ..., so it may be incomplete; add that line")
    if re.search(r"^\.\.\.", text[: end.start()], re.MULTILINE):
        raise StrictYamlError("has an end marker (...) before its end")


def _check_tokens(text: str) -> None:
    """Refuses explicit keys. Also refuses comments directly after a token, because YAML 1.2 requires a space before a
    comment."""
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        start, end = token.start_mark.index, token.end_mark.index
        if isinstance(token, yaml.KeyToken) and start < end:
            line = token.start_mark.line + 1
            raise StrictYamlError(f"line {line}: has a key that begins with ?, which is not allowed")
        if text[end : end + 1] == "#" and text[end - 1 : end] not in ("", " ", "\n"):
            raise StrictYamlError(f"line {token.end_mark.line + 1}: is not valid YAML: a comment needs space before it")


Place = tuple[str | int, ...]


class _Reader:
    def __init__(self, text: str, events: Iterator[Any]) -> None:
        self._text = text
        self._events = events
        self._lines = text.split("\n")
        self._last = yaml.Mark("", 0, 0, 0, None, 0)
        """The position where the last collection ended."""

    def value(self, event: Any, place: Place, indent: int | None) -> Any:
        """Returns the value that begins with this event.

        :param indent: the column of the enclosing block collection, or None inside a flow collection
        """
        if len(place) > MAX_DEPTH:
            raise _mistake(event, place, f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            raise _mistake(event, place, "is a YAML alias (*), which is not allowed")
        if event.anchor is not None:
            raise _mistake(event, place, "has a YAML anchor (&), which is not allowed")
        if event.tag is not None:
            raise _mistake(event, place, "has a YAML tag (!), which is not allowed")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, place)
        inside = None if event.flow_style else event.start_mark.column
        if isinstance(event, yaml.SequenceStartEvent):
            found: Any = self._sequence(place, inside)
        else:
            found = self._mapping(place, inside)
        if event.flow_style and indent is not None:
            self._check_indentation(event, place, indent)
        return found

    def _check_indentation(self, start: Any, place: Place, indent: int) -> None:
        """Refuses a flow collection that is not indented more than the enclosing block, as YAML 1.2 requires."""
        for number in range(start.start_mark.line + 1, self._last.line + 1):
            content = self._lines[number].lstrip(" ")
            if content == "" or content.startswith("#"):
                continue
            column = len(self._lines[number]) - len(content)
            closes = (number, column) == (self._last.line, self._last.column)
            if column < indent + (0 if closes else 1):
                raise _mistake(start, place, "is continued in a line that is not indented enough")

    def _sequence(self, place: Place, indent: int | None) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self.value(event, (*place, len(items)), indent))
        self._last = event.start_mark
        return items

    def _mapping(self, place: Place, indent: int | None) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = self.value(event, place, indent)
            if not isinstance(name, str):
                raise _mistake(event, place, "has a key that is not text: put it in quotes")
            inside = (*place, name)
            if name in UNSAFE_NAMES:
                raise _mistake(event, inside, "has a name that is not allowed")
            if name in entries:
                raise _mistake(event, inside, "is there twice")
            entries[name] = self.value(next(self._events), inside, indent)
            colon = _COLON.match(self._text, event.end_mark.index)
            if colon is None or colon.end() - event.start_mark.index > MAX_KEY:
                message = f"has a key without a colon after it in the first {MAX_KEY} characters of its line"
                raise _mistake(event, place, message)
        self._last = event.start_mark
        return entries

    def _scalar(self, event: Any, place: Place) -> str | int | bool:
        # Combine surrogate pairs, because JavaScript treats a surrogate pair in two escapes as one character.
        text = str(event.value).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        if event.style is None:
            if text == "":
                raise _mistake(event, place, "has no value")
            if _WHOLE_NUMBER.match(text):
                return int(text)
            if text in ("true", "false"):
                return text == "true"
            if _AMBIGUOUS.search(text) or _WORDS.match(text):
                raise _mistake(event, place, f"is ambiguous without quotes: quote {text}")
        if "\n" in self._text[event.start_mark.index : event.end_mark.index]:
            raise _mistake(event, place, "continues on the next line: put it in quotes, on one line")
        if _CONTROL.search(text):
            raise _mistake(event, place, "contains a control character")
        return text


def _mistake(event: Any, place: Place, message: str) -> StrictYamlError:
    where = ".".join(str(part) for part in place)
    return StrictYamlError(f"line {event.start_mark.line + 1}: {where} {message}")
