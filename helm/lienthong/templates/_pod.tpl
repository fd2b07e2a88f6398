{{- /* What is the same for both containers, and for the probes. */ -}}
{{- define "lienthong.hardened" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end -}}

{{- /* Standard gRPC health where the kubelet can speak it, otherwise whether the port answers. */ -}}
{{- define "lienthong.probe" -}}
{{- if .Values.grpc.tls.secretName -}}
tcpSocket:
  port: grpc
{{- else -}}
grpc:
  port: {{ .Values.grpc.port }}
{{- end }}
timeoutSeconds: 3
{{- end -}}
