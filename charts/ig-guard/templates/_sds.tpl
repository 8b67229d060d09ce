{{/*
Files by which a mesh's proxies read their certificates again when they are renewed: root, name of
the object that they are for, and the mesh's pieces.
*/}}
{{- define "ig-guard.sdsFiles" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "ig-guard.metadata" (merge (dict "suffix" (printf "%s-sds" .name)) .) | nindent 2 }}
data:
  {{- range $name, $file := .mesh.sds }}
  {{ $name }}: {{ $file | toJson | toJson }}
  {{- end }}
{{- end -}}
