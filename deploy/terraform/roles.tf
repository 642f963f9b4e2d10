# The least roles on the key with which the programs work: those that `temporal-kms setup` grants, and that of a scan. A test
# compares them.
locals {
  encrypt_decrypt = "roles/cloudkms.cryptoKeyEncrypterDecrypter"

  roles = {
    worker  = [local.encrypt_decrypt]
    starter = ["roles/cloudkms.cryptoKeyEncrypter"]
    codec-server = concat(
      [var.encode ? local.encrypt_decrypt : "roles/cloudkms.cryptoKeyDecrypter"],
      var.key_states ? ["roles/cloudkms.viewer"] : [],
    )
    # Reads which versions of the key exist (temporal-kms scan).
    scan = ["roles/cloudkms.viewer"]
    # Its account is for Cloud Run, which otherwise uses an account with many rights.
    dashboard = []
  }

  grants = {
    for grant in flatten([for app, roles in local.roles : [for role in roles : { app = app, role = role }]]) :
    "${grant.app} ${grant.role}" => grant
  }
}
