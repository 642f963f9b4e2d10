"""Encrypts and decrypts with Tink and the key ``gcp-kms://KEY``: ``python3 tink_client.py KEY``."""

import sys

import tink
from google.auth.credentials import AnonymousCredentials
from tink import aead
from tink.integration import gcpkms


def main(key: str) -> None:
    aead.register()
    client = gcpkms.GcpKmsClient(None, credentials=AnonymousCredentials())
    remote = client.get_aead(f"gcp-kms://{key}")
    envelope = aead.KmsEnvelopeAead(aead.aead_key_templates.AES256_GCM, remote)
    for name, primitive in (("tink", remote), ("tink-envelope", envelope)):
        encrypted = primitive.encrypt(b"a data key", b"associated data")
        assert primitive.decrypt(encrypted, b"associated data") == b"a data key"
        try:
            primitive.decrypt(encrypted, b"other data")
        except tink.TinkError:
            print(f"{name} ok")


if __name__ == "__main__":
    main(sys.argv[1])
