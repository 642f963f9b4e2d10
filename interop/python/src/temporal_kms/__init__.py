"""Encrypts Temporal payloads under Google Cloud KMS keys, in the formats of docs/wire-formats.md."""

from .codec import KmsCodec, load_kms_codec
from .errors import KmsCodecError
from .keys_file import read_keys_file
from .kms import CloudKms, KeyService, Wrapped
from .moving_codec import MovingCodec
from .rules import KeyRules, NamespaceRule

__all__ = [
    "CloudKms",
    "KeyRules",
    "KeyService",
    "KmsCodec",
    "KmsCodecError",
    "MovingCodec",
    "NamespaceRule",
    "Wrapped",
    "load_kms_codec",
    "read_keys_file",
]
