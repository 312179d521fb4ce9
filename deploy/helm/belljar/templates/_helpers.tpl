{{- /* Names and what gateways and workers have in common. */ -}}
{{- define "belljar.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}-belljar
{{- end }}

{{- define "belljar.selector" -}}
app.kubernetes.io/name: belljar
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "belljar.labels" -}}
{{ include "belljar.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- define "belljar.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* The environment that both roles have; the dictionary has `root` and, as `nats`, the role's secrets of NATS. */ -}}
{{- define "belljar.environment" -}}
- {name: BELLJAR_FLEET, value: {{ .root.Values.nats.url | quote }}}
- {name: BELLJAR_FLEET_REPLICAS, value: {{ .root.Values.nats.replicas | quote }}}
- {name: BELLJAR_DRAIN, value: {{ printf "%ds" (int .root.Values.drainSeconds) | quote }}}
- {name: BELLJAR_STATE_DIR, value: /var/lib/belljar}
{{- if .nats.credentialsSecret }}
- {name: BELLJAR_FLEET_CREDENTIALS_FILE, value: /etc/belljar/nats/credentials}
{{- end }}
{{- if .nats.tlsSecret }}
- {name: BELLJAR_FLEET_CA_FILE, value: /etc/belljar/nats-tls/ca.crt}
{{- if .root.Values.nats.clientCertificate }}
- {name: BELLJAR_FLEET_CERTIFICATE_FILE, value: /etc/belljar/nats-tls/tls.crt}
- {name: BELLJAR_FLEET_KEY_FILE, value: /etc/belljar/nats-tls/tls.key}
{{- end }}
{{- end }}
{{- end }}

{{- define "belljar.mounts" -}}
- {name: state, mountPath: /var/lib/belljar}
- {name: scratch, mountPath: /tmp}
{{- if .nats.credentialsSecret }}
- {name: nats, mountPath: /etc/belljar/nats, readOnly: true}
{{- end }}
{{- if .nats.tlsSecret }}
- {name: nats-tls, mountPath: /etc/belljar/nats-tls, readOnly: true}
{{- end }}
{{- end }}

{{- define "belljar.volumes" -}}
- {name: state, emptyDir: {}}
{{- if .nats.credentialsSecret }}
- {name: nats, secret: {secretName: {{ .nats.credentialsSecret | quote }}, defaultMode: 0440}}
{{- end }}
{{- if .nats.tlsSecret }}
- {name: nats-tls, secret: {secretName: {{ .nats.tlsSecret | quote }}, defaultMode: 0440}}
{{- end }}
{{- end }}

{{- /* What both roles may reach: NATS, and the name servers that know where it is. */ -}}
{{- define "belljar.egress" -}}
- to: {{ toJson .Values.nats.peers }}
  ports:
    {{- range .Values.nats.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
- to: {{ toJson .Values.dns.peers }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}
