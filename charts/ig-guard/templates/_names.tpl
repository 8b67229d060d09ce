{{/* Begin of all names; short enough for what is added. */}}
{{- define "ig-guard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of a component: `dict "root" $ "name" "gateway"`. */}}
{{- define "ig-guard.name" -}}
{{- printf "%s-%s" (include "ig-guard.fullname" .root) .name -}}
{{- end -}}

{{/* What selects a component's pods; it never changes. */}}
{{- define "ig-guard.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .name | quote }}
{{- end -}}

{{/* Labels of a component's objects. */}}
{{- define "ig-guard.labels" -}}
{{ include "ig-guard.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
app.kubernetes.io/part-of: ig-guard
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Metadata of an object: root, name, and perhaps suffix, labels and annotations. */}}
{{- define "ig-guard.metadata" -}}
name: {{ include "ig-guard.name" (dict "root" .root "name" (default .name .suffix)) }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "ig-guard.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Reference of an image; a digest goes before a tag. The tag by default has `suffix` at its end. */}}
{{- define "ig-guard.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default (printf "%s%s" .root.Chart.AppVersion (default "" .suffix)) .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Secret of certificates: `dict "root" $ "of" "api"`. */}}
{{- define "ig-guard.secret" -}}
{{- if eq .root.Values.certificates.mode "secrets" -}}
{{- index .root.Values.certificates.secrets .of -}}
{{- else -}}
{{- include "ig-guard.name" (dict "root" .root "name" (printf "%s-tls" .of)) -}}
{{- end -}}
{{- end -}}

{{/* Name of a service as all of the cluster know it. */}}
{{- define "ig-guard.host" -}}
{{- printf "%s.%s.svc.%s" (include "ig-guard.name" .) .root.Release.Namespace .root.Values.clusterDomain -}}
{{- end -}}

{{/* gRPC address of the control plane, for proxies. */}}
{{- define "ig-guard.controlPlane" -}}
{{- if .Values.controlPlane.enabled -}}
{{- printf "%s:%d" (include "ig-guard.host" (dict "root" . "name" "control-plane")) (int .Values.controlPlane.service.grpcPort) -}}
{{- else -}}
{{- .Values.controlPlane.external.address -}}
{{- end -}}
{{- end -}}

{{/* Where GraphQL is, for the probe. */}}
{{- define "ig-guard.probeUrl" -}}
{{- if .Values.probe.url -}}
{{- .Values.probe.url -}}
{{- else if .Values.gateway.enabled -}}
{{- printf "http://%s:%d%s" (include "ig-guard.host" (dict "root" . "name" "gateway")) (int .Values.gateway.service.port) .Values.guard.endpoint -}}
{{- end -}}
{{- end -}}
