{{- /* Names and labels. */ -}}
{{- define "lienthong.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "lienthong.selector" -}}
app.kubernetes.io/name: lienthong
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "lienthong.labels" -}}
{{ include "lienthong.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* The node's configuration; all values are strings that the schema restricts, and are quoted for TOML. */ -}}
{{- define "lienthong.config" -}}
[node]
name = {{ include "lienthong.name" . | quote }}
data_dir = "/var/lib/lienthong"
directory = "/etc/lienthong/directory.toml"
agencies = [
{{- range .Values.agencies }}
  { id = {{ . | quote }}, key_file = {{ printf "/run/lienthong/%s.key" . | quote }} },
{{- end }}
]

[grpc]
listen = {{ printf "0.0.0.0:%d" (int .Values.grpc.port) | quote }}
{{- if .Values.grpc.tls.secretName }}
tls_certificate = "/run/lienthong/tls.crt"
tls_key = "/run/lienthong/tls.key"
{{- with .Values.grpc.tls.clientCaKey }}
tls_client_ca = {{ printf "/run/lienthong/%s" . | quote }}
{{- end }}
{{- else }}
plaintext_ok = true
{{- end }}

[link]
kind = "nats"
url = {{ .Values.nats.url | quote }}
{{- with .Values.nats.nkeySeedKey }}
nkey_seed_file = {{ printf "/run/lienthong/%s" . | quote }}
{{- end }}
{{- with .Values.nats.tlsCaKey }}
tls_ca = {{ printf "/run/lienthong/%s" . | quote }}
{{- end }}

[telemetry]
log_format = "json"
log_level = {{ .Values.telemetry.logLevel | quote }}
{{- with .Values.telemetry.otlpEndpoint }}
otlp_endpoint = {{ . | quote }}
{{- end }}
{{- end -}}
