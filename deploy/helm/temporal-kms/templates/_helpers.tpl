{{/* The enabled applications: for each name, the values that the templates need. */}}
{{- define "temporal-kms.apps" -}}
{{- $apps := dict -}}
{{- if .Values.codecServer.enabled -}}
{{- $_ := set $apps "codec-server" (dict "values" .Values.codecServer "port" 8088 "metrics" 9464 "live" "/healthz" "ready" "/readyz" "drainSeconds" 15) -}}
{{- end -}}
{{- if .Values.worker.enabled -}}
{{- $_ := set $apps "worker" (dict "values" .Values.worker "port" 8089 "live" "/healthz" "ready" "/readyz") -}}
{{- /* A worker that sends its metrics to a collector has no port for them. */ -}}
{{- if not (or .Values.env.WORKER_OTLP_ENDPOINT .Values.worker.env.WORKER_OTLP_ENDPOINT) -}}{{- $_ := set $apps.worker "metrics" 9465 -}}{{- end -}}
{{- end -}}
{{- if and .Values.dashboard.enabled (not (and .Values.codecServer.enabled .Values.codecServer.dashboard)) -}}
{{- $_ := set $apps "dashboard" (dict "values" .Values.dashboard "port" 8080 "live" "/healthz" "ready" "/healthz") -}}
{{- end -}}
{{- toJson $apps -}}
{{- end -}}

{{- define "temporal-kms.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "temporal-kms.metadata" -}}
name: {{ .root.Release.Name }}-{{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "temporal-kms.selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
  app.kubernetes.io/part-of: temporal-kms
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{- define "temporal-kms.image" -}}
{{- $image := .root.Values.image -}}
{{- $digest := get $image.digests .name -}}
{{- if .app.values.image -}}
{{ .app.values.image }}
{{- else if $digest -}}
{{ $image.registry }}/{{ .name }}@{{ $digest }}
{{- else -}}
{{ $image.registry }}/{{ .name }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The names that the codec server accepts in the Host header. */}}
{{- define "temporal-kms.hosts" -}}
{{- $service := printf "%s-codec-server" .Release.Name -}}
{{- $hosts := list (printf "%s:8088" $service) (printf "%s.%s:8088" $service .Release.Namespace) -}}
{{- if .Values.ingress.enabled -}}{{- $hosts = append $hosts .Values.ingress.host -}}{{- end -}}
{{- concat $hosts .Values.codecServer.allowedHosts | join "," -}}
{{- end -}}

{{/* A program's variables, as an object. The global `env` overrides the chart's variables, and the program's `env` overrides both. */}}
{{- define "temporal-kms.env" -}}
{{- $root := .root -}}
{{- $env := dict -}}
{{- if and $root.Values.keys (ne .name "dashboard") -}}
{{- $_ := set $env "KMS_KEYS_FILE" "/etc/temporal-kms/keys.yaml" -}}
{{- end -}}
{{- if eq .name "codec-server" -}}
{{- if $root.Values.storage -}}{{- $_ := set $env "CODEC_STORAGE_FILE" "/etc/temporal-kms/storage.yaml" -}}{{- end -}}
{{- $env = merge (dict "CODEC_HOST" "0.0.0.0" "CODEC_PORT" "8088" "CODEC_METRICS_HOST" "0.0.0.0" "CODEC_METRICS_PORT" "9464" "AUTH" "policy" "POLICY_FILE" "/etc/temporal-kms/policy.yaml" "CODEC_ALLOWED_HOSTS" (include "temporal-kms.hosts" $root)) $env -}}
{{- if and $root.Values.dashboard.enabled $root.Values.codecServer.dashboard -}}
{{- $_ := set $env "CODEC_DASHBOARD_DIR" "/srv/dashboard" -}}
{{- with $root.Values.dashboard.temporalUiUrl -}}{{- $_ := set $env "CODEC_DASHBOARD_TEMPORAL_UI_URL" . -}}{{- end -}}
{{- with $root.Values.dashboard.connectSources -}}{{- $_ := set $env "CODEC_DASHBOARD_CONNECT_SOURCES" (join "," .) -}}{{- end -}}
{{- with $root.Values.dashboard.frameSources -}}{{- $_ := set $env "CODEC_DASHBOARD_FRAME_SOURCES" (join "," .) -}}{{- end -}}
{{- end -}}
{{- if $root.Values.scan.enabled -}}{{- $_ := set $env "SCAN_REPORT_FILE" "/var/lib/temporal-kms/scan/report.json" -}}{{- end -}}
{{- with $root.Values.codecServer.corsOrigins -}}{{- $_ := set $env "CODEC_CORS_ORIGINS" (join "," .) -}}{{- end -}}
{{- with $root.Values.codecServer.tracesEndpoint -}}{{- $_ := set $env "OTEL_EXPORTER_OTLP_ENDPOINT" . -}}{{- end -}}
{{- else if eq .name "worker" -}}
{{- $env = merge (dict "WORKER_HEALTH_HOST" "0.0.0.0" "WORKER_HEALTH_PORT" "8089" "TEMPORAL_TASK_QUEUE" $root.Values.worker.taskQueue "WORKER_SHUTDOWN_GRACE_SECONDS" $root.Values.worker.shutdownGraceSeconds) $env -}}
{{- if .app.metrics -}}{{- $env = merge (dict "WORKER_METRICS_HOST" "0.0.0.0" "WORKER_METRICS_PORT" "9465") $env -}}{{- end -}}
{{- else if eq .name "dashboard" -}}
{{- $values := $root.Values.dashboard -}}
{{- $env = dict "CODEC_UPSTREAM" (printf "%s-codec-server:8088" $root.Release.Name) "CODEC_URL" $values.codecUrl "TEMPORAL_UI_URL" $values.temporalUiUrl "CONNECT_SOURCES" (join " " $values.connectSources) "FRAME_SOURCES" (join " " $values.frameSources) -}}
{{- end -}}
{{- /* Does not use merge, which would replace values that are empty, 0 or false. */ -}}
{{- range $variables := list (ternary dict $root.Values.env (eq .name "dashboard")) .app.values.env -}}
{{- range $key, $value := $variables -}}{{- $_ := set $env $key $value -}}{{- end -}}
{{- end -}}
{{- if and $env.KMS_KEYS_FILE $env.GCP_KMS_KEY -}}
{{- fail (printf "%s has both a keys file (keys, KMS_KEYS_FILE) and GCP_KMS_KEY, but programs accept only one of these: leave one of them empty" .name) -}}
{{- end -}}
{{- $limit := dig "limits" "memory" "" (.app.values.resources | default dict) -}}
{{- if and (eq .name "codec-server") $limit -}}
{{- $bytes := include "temporal-kms.bytes" $limit | float64 -}}
{{- if lt $bytes 268435456.0 -}}
{{- fail (printf "codecServer.resources.limits.memory is %v: the codec server needs at least 256Mi, and should have 512Mi" $limit) -}}
{{- else if lt $bytes 536870912.0 -}}
{{- /* docs/limits.md (Memory). If an option is repeated, V8 uses the last value. */ -}}
{{- $_ := set $env "NODE_OPTIONS" (printf "--max-old-space-size=96 --max-semi-space-size=4 %s" ($env.NODE_OPTIONS | default "") | trim) -}}
{{- $env = merge $env (dict "MALLOC_ARENA_MAX" "1") -}}
{{- end -}}
{{- end -}}
{{- if eq .name "worker" -}}
{{- /* docs/limits.md (Worker memory). */ -}}
{{- $_ := set $env "NODE_OPTIONS" (printf "--max-semi-space-size=16 %s" ($env.NODE_OPTIONS | default "") | trim) -}}
{{- end -}}
{{- toJson $env -}}
{{- end -}}

{{/* Converts a quantity of memory such as 512Mi to bytes. */}}
{{- define "temporal-kms.bytes" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $quantity := ternary (toString .) (toJson .) (kindIs "string" .) -}}
{{- mulf (regexFind "^[0-9.]+" $quantity | float64) (get $units (regexFind "[a-zA-Z]*$" $quantity) | float64) -}}
{{- end -}}

{{/* The env and envFrom of a program's container. */}}
{{- define "temporal-kms.variables" -}}
env:
  {{- range $key, $value := include "temporal-kms.env" . | fromJson }}
  - { name: {{ $key }}, value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }} }
  {{- end }}
{{- with concat (ternary (list) .root.Values.envFrom (eq .name "dashboard")) .app.values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The fields that all pods share. The argument is an application, as in temporal-kms.metadata. */}}
{{- define "temporal-kms.pod" -}}
serviceAccountName: {{ .root.Release.Name }}-{{ .name }}
# Workload Identity works without this token.
automountServiceAccountToken: false
# Kubernetes' variables for a Service called codec would have the names of the codec server's settings.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  # fsGroup lets the programs read Secrets with mode 0400. Files in volumes keep their modes between mounts.
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .app.values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .app.values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "temporal-kms.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "temporal-kms.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "temporal-kms.metadata" . | nindent 2 }}
  {{- with .app.values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
