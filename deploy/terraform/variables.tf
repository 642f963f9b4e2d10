variable "project_id" {
  description = "Id of the project that contains the key. Google bills the use of the key to this project."
  type        = string

  validation {
    condition     = can(regex("^([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "It must be the id of a project, not its name or number."
  }
}

variable "location" {
  description = "Location of the key ring: the workers' region, or global (slower). The location cannot be changed later."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+[a-z0-9-]*$", var.location))
    error_message = "It must be a location of Cloud KMS, for example us-east1."
  }
}

variable "namespaces" {
  description = "The Temporal namespaces whose payloads the key encrypts. The programs refuse other namespaces."
  type        = list(string)

  validation {
    condition     = length(var.namespaces) > 0 && length(distinct(var.namespaces)) == length(var.namespaces)
    error_message = "It must name at least one namespace, and each only once."
  }

  validation {
    condition     = alltrue([for name in var.namespaces : can(regex("^[^\\s*[:cntrl:]]([^*[:cntrl:]]*[^\\s*[:cntrl:]])?$", name))])
    error_message = "Each must be a name without * or control characters, and without a space at its beginning or end."
  }
}

variable "key_ring" {
  description = "Name of the key ring. A key ring can be neither renamed nor deleted."
  type        = string
  default     = "temporal-keys"

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,63}$", var.key_ring))
    error_message = "It must have 1 to 63 letters, digits, - and _."
  }
}

variable "key" {
  description = "Name of the crypto key. Use a separate key, and therefore a separate Terraform state, for each environment."
  type        = string
  default     = "workflow-encryption"

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,63}$", var.key))
    error_message = "It must have 1 to 63 letters, digits, - and _."
  }
}

variable "rotation_days" {
  description = "Days after which Cloud KMS creates a new primary version."
  type        = number
  default     = 90

  validation {
    condition     = var.rotation_days >= 1 && var.rotation_days <= 36500 && floor(var.rotation_days) == var.rotation_days
    error_message = "It must be a whole number of days from 1 to 36500."
  }
}

variable "protection_level" {
  description = "SOFTWARE, or HSM for a key in an HSM. It cannot be changed later."
  type        = string
  default     = "SOFTWARE"

  validation {
    condition     = contains(["SOFTWARE", "HSM"], var.protection_level)
    error_message = "It must be SOFTWARE or HSM."
  }
}

variable "account_prefix" {
  description = "The service accounts are <prefix>-worker, -starter, -codec-server, -scan and -dashboard."
  type        = string
  default     = "temporal"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}[a-z0-9]$", var.account_prefix))
    error_message = "It must have 2 to 17 small letters, digits and hyphens, and begin with a letter."
  }
}

variable "key_states" {
  description = "Whether the codec server shows the states of key versions."
  type        = bool
  default     = true
}

variable "encode" {
  description = "Whether the codec server encrypts too, for starts and signals from Temporal's Web UI and CLI."
  type        = bool
  default     = false
}

variable "audit_logs" {
  description = "Whether this module manages Cloud KMS's Data Access audit logs in the project. If so, it also replaces the exemptions in these logs' configuration."
  type        = bool
  default     = true
}

variable "notification_channels" {
  description = "Names of the Cloud Monitoring channels that receive alerts: projects/PROJECT/notificationChannels/ID."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", name))])
    error_message = "Each must have the form projects/PROJECT/notificationChannels/ID."
  }
}

variable "workload_identity" {
  description = "For the Helm chart on GKE: the Kubernetes namespace and the Helm release of its pods, and the cluster's project (default: project_id). The chart's Kubernetes accounts may then act as the service accounts of worker, codec server and scan."
  type = object({
    namespace       = string
    release         = string
    cluster_project = optional(string)
  })
  default = null
}

variable "service_perimeter" {
  description = "For VPC Service Controls: the access policy and the number of the project. Cloud KMS then refuses calls from outside the perimeter and its access levels; with dry_run, Google only logs such calls. Leave this variable unset if the project is already in a perimeter."
  type = object({
    access_policy  = string
    project_number = string
    access_levels  = optional(list(string), [])
    dry_run        = optional(bool, true)
  })
  default = null

  validation {
    condition = var.service_perimeter == null ? true : (
      can(regex("^[0-9]+$", var.service_perimeter.access_policy)) && can(regex("^[0-9]+$", var.service_perimeter.project_number))
    )
    error_message = "access_policy and project_number must be numbers."
  }
}
