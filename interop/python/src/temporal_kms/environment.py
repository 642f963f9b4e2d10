"""Creates the codec that environment variables describe."""

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

from .codec import KmsCodec
from .keys_file import is_crypto_key, read_keys_file
from .kms import CloudKms
from .rules import DIRECT_WITH_ENVELOPE, KeyRules, NamespaceRule

_CHOICES = {
    "KMS_FORMAT": ("envelope-v2", "envelope", "direct"),
    "KMS_UNSAFE": (DIRECT_WITH_ENVELOPE,),
    "KMS_COMPRESSION": ("none", "zstd"),
    "KMS_BIND_WORKFLOW": ("true", "false"),
}
_NEEDED = ("GCP_PROJECT", "GCP_KMS_KEY_RING", "GCP_KMS_KEY")
_KNOWN = {*_CHOICES, *_NEEDED, "GCP_KMS_LOCATION", "KMS_KEYS_FILE", "KMS_EMULATOR_HOST"}


def load_kms_codec(env: Mapping[str, str] = os.environ) -> KmsCodec:
    """Returns the codec that the environment describes with ``KMS_KEYS_FILE`` or, for a single key, with the ``GCP_*``
    variables.

    Warns about unknown variables with the prefixes ``KMS_`` and ``GCP_KMS_``.

    :raises ValueError: variables are missing or invalid, the keys file is invalid, the emulator is not on loopback, or
        Google's credentials are missing
    """
    for name, allowed in _CHOICES.items():
        if name in env and env[name] not in allowed:
            raise ValueError(f"{name} is {env[name]}; it must be {' or '.join(allowed)}")
    if "KMS_KEYS_FILE" in env and "GCP_KMS_KEY" in env:
        raise ValueError("KMS_KEYS_FILE and GCP_KMS_KEY are both set; use one of them")
    if "KMS_KEYS_FILE" in env and "KMS_UNSAFE" in env:
        raise ValueError("KMS_UNSAFE has no effect with KMS_KEYS_FILE; write unsafe into the keys file's rules")
    rules = read_keys_file(Path(env["KMS_KEYS_FILE"])) if "KMS_KEYS_FILE" in env else _guide_rules(env)
    codec = KmsCodec(
        rules,
        CloudKms.connect(env.get("KMS_EMULATOR_HOST")),
        namespace=env.get("TEMPORAL_NAMESPACE"),
        compression=env.get("KMS_COMPRESSION") == "zstd",
        bind_workflow=env.get("KMS_BIND_WORKFLOW") == "true",
    )
    if unknown := sorted(name for name in env if re.match("(GCP_)?KMS_", name) and env[name] and name not in _KNOWN):
        warnings.warn(
            f"Unknown variables, which have no effect: {', '.join(unknown)}. Check their spelling.", stacklevel=2
        )
    return codec


def _guide_rules(env: Mapping[str, str]) -> KeyRules:
    """Returns rules with one key. The rules read ``envelope-v2`` and one older format: ``envelope`` if ``KMS_FORMAT``
    is ``envelope``, otherwise ``direct``. If ``KMS_UNSAFE`` accepts the risk, the rules read both older formats."""
    if missing := [name for name in _NEEDED if not env.get(name)]:
        raise ValueError(f"{' and '.join(missing)} must be set, or KMS_KEYS_FILE instead of all GCP_* variables")
    project, ring, key = (env[name] for name in _NEEDED)
    location = env.get("GCP_KMS_LOCATION", "global")
    path = f"projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{key}"
    if not is_crypto_key(path):
        raise ValueError(f"The GCP_* variables result in the name {path}, which is not a valid crypto key name")
    if "KMS_UNSAFE" in env:
        reads = frozenset({"envelope-v2", "envelope", "direct"})
        return KeyRules({}, NamespaceRule(encrypt=path, reads=reads, unsafe=frozenset({DIRECT_WITH_ENVELOPE})))
    older = "envelope" if env.get("KMS_FORMAT") == "envelope" else "direct"
    return KeyRules({}, NamespaceRule(encrypt=path, reads=frozenset({"envelope-v2", older})))
