"""Encrypts Temporal payloads under Google Cloud KMS keys, in the formats of docs/wire-formats.md."""

from .codec import KmsCodec
from .environment import load_kms_codec
from .errors import KmsCodecError
from .keys_file import read_keys_file
from .kms import CloudKms, KeyService, Wrapped
from .moving_codec import MovingCodec
from .plugin import KmsCodecPlugin
from .rules import KeyRules, NamespaceRule
from .safe_logging import JsonFormatter, SafeLogFilter, install_safe_logging

__all__ = [
    "CloudKms",
    "JsonFormatter",
    "KeyRules",
    "KeyService",
    "KmsCodec",
    "KmsCodecError",
    "KmsCodecPlugin",
    "MovingCodec",
    "NamespaceRule",
    "SafeLogFilter",
    "Wrapped",
    "install_safe_logging",
    "load_kms_codec",
    "read_keys_file",
]
