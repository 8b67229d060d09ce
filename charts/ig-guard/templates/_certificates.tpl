{{/* Who the gateway is, for `ig graph put --proxy`. */}}
{{- define "ig-guard.proxyIdentity" -}}
{{- printf "spiffe://%s/ns/%s/sa/%s" .Values.certificates.trustDomain .Release.Namespace (include "ig-guard.name" (dict "root" . "name" "gateway")) -}}
{{- end -}}

{{/* A certificate in the secret of its name: root, name, issuer, usages, and dnsNames or uris. */}}
{{- define "ig-guard.certificate" -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  {{- include "ig-guard.metadata" . | nindent 2 }}
spec:
  secretName: {{ include "ig-guard.secret" (dict "root" .root "of" .name) }}
  duration: {{ .root.Values.certificates.duration }}
  renewBefore: {{ .root.Values.certificates.renewBefore }}
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  usages:
    - digital signature
    {{- toYaml .usages | nindent 4 }}
  {{- with .dnsNames }}
  dnsNames:
    {{- toYaml (uniq .) | nindent 4 }}
  {{- end }}
  {{- with .uris }}
  uris:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  issuerRef:
    {{- toYaml .issuer | nindent 4 }}
{{- end -}}
