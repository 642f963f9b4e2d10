# Reads the policies and metrics from files, which `gcloud monitoring policies create` and `gcloud logging
# metrics create` also accept.
locals {
  monitoring = "${path.module}/../monitoring/google"
  policies   = { for file in fileset(local.monitoring, "*.policy.json") : trimsuffix(file, ".policy.json") => jsondecode(file("${local.monitoring}/${file}")) }
  metrics    = { for file in fileset(local.monitoring, "*.metric.json") : trimsuffix(file, ".metric.json") => jsondecode(file("${local.monitoring}/${file}")) }
}

resource "google_logging_metric" "metric" {
  for_each = local.metrics

  project          = var.project_id
  name             = each.value.name
  description      = each.value.description
  filter           = each.value.filter
  label_extractors = each.value.labelExtractors

  metric_descriptor {
    metric_kind = each.value.metricDescriptor.metricKind
    value_type  = each.value.metricDescriptor.valueType

    dynamic "labels" {
      for_each = each.value.metricDescriptor.labels
      content {
        key         = labels.value.key
        value_type  = labels.value.valueType
        description = labels.value.description
      }
    }
  }
}

resource "google_monitoring_alert_policy" "policy" {
  for_each = local.policies

  project               = var.project_id
  display_name          = each.value.displayName
  combiner              = each.value.combiner
  notification_channels = var.notification_channels

  documentation {
    content   = each.value.documentation.content
    mime_type = each.value.documentation.mimeType
  }

  dynamic "conditions" {
    for_each = each.value.conditions
    content {
      display_name = conditions.value.displayName

      dynamic "condition_matched_log" {
        for_each = try([conditions.value.conditionMatchedLog], [])
        content {
          filter = condition_matched_log.value.filter
        }
      }

      dynamic "condition_threshold" {
        for_each = try([conditions.value.conditionThreshold], [])
        content {
          filter             = condition_threshold.value.filter
          denominator_filter = condition_threshold.value.denominatorFilter
          comparison         = condition_threshold.value.comparison
          threshold_value    = condition_threshold.value.thresholdValue
          duration           = condition_threshold.value.duration

          dynamic "aggregations" {
            for_each = condition_threshold.value.aggregations
            content {
              alignment_period     = aggregations.value.alignmentPeriod
              per_series_aligner   = aggregations.value.perSeriesAligner
              cross_series_reducer = aggregations.value.crossSeriesReducer
            }
          }

          dynamic "denominator_aggregations" {
            for_each = condition_threshold.value.denominatorAggregations
            content {
              alignment_period     = denominator_aggregations.value.alignmentPeriod
              per_series_aligner   = denominator_aggregations.value.perSeriesAligner
              cross_series_reducer = denominator_aggregations.value.crossSeriesReducer
            }
          }
        }
      }

      dynamic "condition_prometheus_query_language" {
        for_each = try([conditions.value.conditionPrometheusQueryLanguage], [])
        content {
          query               = condition_prometheus_query_language.value.query
          duration            = condition_prometheus_query_language.value.duration
          evaluation_interval = condition_prometheus_query_language.value.evaluationInterval
        }
      }
    }
  }

  dynamic "alert_strategy" {
    for_each = try([each.value.alertStrategy], [])
    content {
      auto_close = alert_strategy.value.autoClose

      notification_rate_limit {
        period = alert_strategy.value.notificationRateLimit.period
      }
    }
  }
}
