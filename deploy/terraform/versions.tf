# The Google side of temporal-kms: docs/gcp-kms.md#terraform explains how to apply this module, and what is
# tested.
terraform {
  required_version = ">= 1.6"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 8.0"
    }
  }
}
