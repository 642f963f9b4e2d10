# The minimal roles on the key for each program. A test checks that these are the roles that
# `temporal-kms setup` grants, and the role for a scan.
locals {
  encrypt_decrypt = "roles/cloudkms.cryptoKeyEncrypterDecrypter"

  roles = {
    worker  = [local.encrypt_decrypt]
    starter = ["roles/cloudkms.cryptoKeyEncrypter"]
    codec-server = concat(
      [var.encode ? local.encrypt_decrypt : "roles/cloudkms.cryptoKeyDecrypter"],
      var.key_states ? ["roles/cloudkms.viewer"] : [],
    )
    # For temporal-kms scan, which reads which versions of the key exist.
    scan = ["roles/cloudkms.viewer"]
    # The dashboard's account is for Cloud Run, which would otherwise use an account with many permissions.
    dashboard = []
  }

  grants = {
    for grant in flatten([for app, roles in local.roles : [for role in roles : { app = app, role = role }]]) :
    "${grant.app} ${grant.role}" => grant
  }
}
