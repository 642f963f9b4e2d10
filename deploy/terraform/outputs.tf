output "environment" {
  description = "The variables with which worker, clients and codec server find the key."
  value       = local.environment
}

output "key" {
  description = "The key, as a keys file (KMS_KEYS_FILE) names it."
  value       = google_kms_crypto_key.key.id
}

output "service_accounts" {
  description = "The service account of each application."
  value       = { for app, account in google_service_account.app : app => account.email }
}

output "helm_values" {
  description = "The values of the Helm chart for this key: terraform output -json helm_values > google.json."
  value = {
    env         = local.environment
    worker      = { serviceAccount = { annotations = { "iam.gke.io/gcp-service-account" = google_service_account.app["worker"].email } } }
    codecServer = { serviceAccount = { annotations = { "iam.gke.io/gcp-service-account" = google_service_account.app["codec-server"].email } } }
  }
}

locals {
  environment = {
    GCP_PROJECT      = var.project_id
    GCP_KMS_LOCATION = var.location
    GCP_KMS_KEY_RING = google_kms_key_ring.ring.name
    GCP_KMS_KEY      = google_kms_crypto_key.key.name
  }
}
