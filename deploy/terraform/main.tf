resource "google_project_service" "kms" {
  project            = var.project_id
  service            = "cloudkms.googleapis.com"
  disable_on_destroy = false
}

resource "google_kms_key_ring" "ring" {
  project    = var.project_id
  location   = var.location
  name       = var.key_ring
  depends_on = [google_project_service.kms]

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key" "key" {
  key_ring        = google_kms_key_ring.ring.id
  name            = var.key
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = "${var.rotation_days * 86400}s"

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = var.protection_level
  }

  # Destroying the key destroys all its versions, and makes every payload that was encrypted under them
  # unreadable.
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_service_account" "app" {
  for_each = local.roles

  project      = var.project_id
  account_id   = "${var.account_prefix}-${each.key}"
  display_name = "temporal-kms: ${each.key}"
}

# Adds members instead of setting a policy, so that other grants on the key are kept.
resource "google_kms_crypto_key_iam_member" "app" {
  for_each = local.grants

  crypto_key_id = google_kms_crypto_key.key.id
  role          = each.value.role
  member        = google_service_account.app[each.value.app].member
}

resource "google_project_iam_audit_config" "kms" {
  count = var.audit_logs ? 1 : 0

  project = var.project_id
  service = "cloudkms.googleapis.com"

  # Get and List are ADMIN_READ; Encrypt and Decrypt are data access.
  dynamic "audit_log_config" {
    for_each = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    content {
      log_type = audit_log_config.value
    }
  }
}

resource "google_service_account_iam_member" "workload_identity" {
  for_each = toset(var.workload_identity == null ? [] : ["worker", "codec-server", "scan"])

  service_account_id = google_service_account.app[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  # The chart names its pods' accounts <release>-<application>.
  member = format(
    "serviceAccount:%s.svc.id.goog[%s/%s-%s]",
    coalesce(var.workload_identity.cluster_project, var.project_id),
    var.workload_identity.namespace,
    var.workload_identity.release,
    each.key,
  )
}

resource "google_access_context_manager_service_perimeter" "kms" {
  count = var.service_perimeter == null ? 0 : 1

  parent = "accessPolicies/${var.service_perimeter.access_policy}"
  name   = "accessPolicies/${var.service_perimeter.access_policy}/servicePerimeters/temporal_kms"
  title  = "temporal_kms"

  use_explicit_dry_run_spec = var.service_perimeter.dry_run

  dynamic "spec" {
    for_each = var.service_perimeter.dry_run ? [1] : []
    content {
      resources           = ["projects/${var.service_perimeter.project_number}"]
      restricted_services = ["cloudkms.googleapis.com"]
      access_levels       = var.service_perimeter.access_levels
    }
  }

  dynamic "status" {
    for_each = var.service_perimeter.dry_run ? [] : [1]
    content {
      resources           = ["projects/${var.service_perimeter.project_number}"]
      restricted_services = ["cloudkms.googleapis.com"]
      access_levels       = var.service_perimeter.access_levels
    }
  }
}
