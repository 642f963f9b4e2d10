"""Fuzzes one target with Atheris: ``python tests/fuzz.py TARGET [libFuzzer's options and folders]``.

The targets have the same inputs as the targets in packages/kms-codec/test/fuzz. ``pnpm fuzz`` installs Atheris and runs
the targets.
"""

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["temporal_kms", "yaml"]):
    from test_keys_file import described

    from temporal_kms import KmsCodecError, read_keys_file, zstd
    from temporal_kms.header import parse_message
    from temporal_kms.payload_reader import parse_payload
    from temporal_kms.strict_yaml import StrictYamlError, parse_strict_yaml

LIMIT = 2**16
FOLDER = Path(tempfile.mkdtemp(prefix="kms-fuzz-"))


def header(data: bytes) -> None:
    """Checks that an accepted header is the only valid encoding of its fields."""
    message = parse_message(data)
    assert bytes(message.header) == message.aad
    assert message.aad + message.ciphertext == data


def plaintext(data: bytes) -> None:
    """Checks that an accepted payload is also accepted in the form in which writers serialize it."""
    payload = parse_payload(data, _unlimited)
    assert parse_payload(payload.SerializeToString(), _unlimited) == payload


def zstd_frame(data: bytes) -> None:
    """Checks that accepted content stays the same when it is compressed and decompressed again, and that no bytes may
    follow its frame."""
    content = zstd.decompress(data, LIMIT, _unlimited)
    frame = zstd.zstandard.ZstdCompressor().compress(content)
    assert zstd.decompress(frame, LIMIT, _unlimited) == content
    try:
        zstd.decompress(data + b"\0", LIMIT, _unlimited)
    except KmsCodecError as error:
        assert error.code == "malformed"
    else:
        raise AssertionError("accepted a frame that is followed by a byte")


def keys_file(data: bytes) -> None:
    """Checks that a keys file is either refused with its mistakes or accepted. Most inputs are not strict YAML, and are
    refused before this function writes a file."""
    try:
        parse_strict_yaml(data)
    except StrictYamlError:
        return
    path = FOLDER / "keys.yaml"
    path.write_bytes(data)
    try:
        rules = read_keys_file(path)
    except ValueError as error:
        assert str(error)
    else:
        assert described(read_keys_file(path)) == described(rules)


def _unlimited(_: int) -> None:
    pass


TARGETS: dict[str, Callable[[bytes], None]] = {
    "header": header,
    "keys-file": keys_file,
    "plaintext": plaintext,
    "zstd": zstd_frame,
}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]

    def run(data: bytes) -> None:
        with contextlib.suppress(KmsCodecError):
            target(data)

    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
