output "keys_file" {
  description = "The keys file (KMS_KEYS_FILE) of worker, clients and codec server: terraform output -raw keys_file > keys.yaml."
  value       = local.keys_file
}

output "key" {
  description = "The key, as a keys file names it."
  value       = local.key
}

output "service_accounts" {
  description = "The service account of each application."
  value       = { for app, account in google_service_account.app : app => account.email }
}

output "helm_values" {
  description = "The values of the Helm chart for this key: terraform output -json helm_values > google.json."
  value = {
    keys        = local.keys_file
    worker      = { serviceAccount = { annotations = { "iam.gke.io/gcp-service-account" = google_service_account.app["worker"].email } } }
    codecServer = { serviceAccount = { annotations = { "iam.gke.io/gcp-service-account" = google_service_account.app["codec-server"].email } } }
    scan        = { serviceAccount = { annotations = { "iam.gke.io/gcp-service-account" = google_service_account.app["scan"].email } } }
  }
}

locals {
  # The id is built from variables, so that it is known before the key exists.
  key = "projects/${var.project_id}/locations/${var.location}/keyRings/${google_kms_key_ring.ring.name}/cryptoKeys/${google_kms_crypto_key.key.name}"

  # The same keys file as temporal-kms setup writes (a test compares the two files). It has no default rule,
  # because with a default, a program could use the key in any namespace.
  keys_file = join("\n", concat(
    ["# The keys of each namespace. A namespace that is not listed is refused.", "namespaces:"],
    flatten([for namespace in var.namespaces : ["  '${replace(namespace, "'", "''")}':", "    encrypt: ${local.key}"]]),
    ["...", ""],
  ))
}
