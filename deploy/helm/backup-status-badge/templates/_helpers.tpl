{{- define "badge.name" -}}
{{- $full := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{ $full | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "badge.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "badge.labels" -}}
{{ include "badge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The catalogue is a SQLite database in a volume, unless there is a PostgreSQL database. */ -}}
{{- define "badge.hasVolume" -}}
{{- if and .Values.persistence.enabled (not .Values.postgresql.existingSecret) }}yes{{ end }}
{{- end }}

{{- /* The values that become files: `sources` becomes sources.toml, and `notify` notify.toml. */ -}}
{{- define "badge.files" -}}
{{- range $name := list "sources" "notify" }}
{{- with index $.Values $name }}
{{ $name }}.toml: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
