{{/* Arguments of `ig envoy render` for this release's gateway. */}}
{{- define "ig-guard.renderArgs" -}}
{{- $of := .Values.gateway -}}
{{- $args := list "envoy" "render" "--flavour" "envoy" -}}
{{- $args = concat $args (list "--control-plane" (include "ig-guard.controlPlane" .) "--graph" .Values.graph) -}}
{{- $args = concat $args (list "--control-plane-ca" "/etc/ig/proxy/ca.crt" "--proxy-certificate" "/etc/ig/proxy/tls.crt" "--proxy-key" "/etc/ig/proxy/tls.key" "--sds" "/run/ig/sds") -}}
{{- $args = concat $args (list "--node" "$(POD_NAME)" "--module" .Values.guard.modulePath) -}}
{{- /* Without a tenant it would deny everybody, so `ig` refuses it; then there is nothing in it to set Envoy up by. */ -}}
{{- if .Values.tenants -}}{{- $args = concat $args (list "--config" "/etc/ig/graph/guard.toml") -}}{{- end -}}
{{- if .Values.region -}}
{{- $args = concat $args (list "--region" .Values.region) -}}
{{- else -}}
{{- range $of.upstreams -}}{{- $args = concat $args (list "--upstream" .) -}}{{- end -}}
{{- end -}}
{{- if $of.peers.secretName -}}
{{- $args = concat $args (list "--gateway-ca" "/etc/ig/peers/ca.crt" "--gateway-name" $of.peers.name) -}}
{{- if $of.peers.clientCertificate -}}
{{- $args = concat $args (list "--gateway-certificate" "/etc/ig/peers/tls.crt" "--gateway-key" "/etc/ig/peers/tls.key") -}}
{{- end -}}
{{- end -}}
{{- with $of.healthPath -}}{{- $args = concat $args (list "--health-path" .) -}}{{- end -}}
{{- range $index, $issuer := .Values.tokens.issuers -}}
{{- $keys := default (printf "/etc/ig/graph/jwks-%d.json" $index) $issuer.jwksUri -}}
{{- $args = concat $args (list "--issuer" $issuer.issuer "--jwks" $keys) -}}
{{- end -}}
{{- range .Values.tokens.audiences -}}{{- $args = concat $args (list "--audience" .) -}}{{- end -}}
{{- $args = concat $args (list "--jwks-ca" .Values.tokens.ca) -}}
{{- with .Values.guard.textStore -}}{{- $args = concat $args (list "--text-store" .) -}}{{- end -}}
{{- $admin := ternary "0.0.0.0:9901" "127.0.0.1:9901" $of.admin.exposed -}}
{{- $args = concat $args (list "--listen" "0.0.0.0:10000" "--admin" $admin "--readiness" "0.0.0.0:10001") $of.extraArgs (list "--output" "/run/ig/envoy.json") -}}
{{- toYaml $args -}}
{{- end -}}

{{/* Whether Envoy serves, which it does without a snapshot too, and denies everybody. */}}
{{- define "ig-guard.envoyProbe" -}}
{{- if .Values.gateway.admin.exposed -}}
httpGet: {path: /ready, port: admin}
{{- else -}}
# The admin interface is for the pod only, and the guard denies probes.
tcpSocket: {port: graphql}
{{- end -}}
{{- end -}}

{{/* Files that the gateway's configuration is made of. */}}
{{- define "ig-guard.graphFiles" -}}
guard.toml: |
  {{- include "ig-guard.guardConfig" . | trimSuffix "\n" | nindent 2 }}
{{- range $index, $issuer := .Values.tokens.issuers }}
{{- with $issuer.jwks }}
jwks-{{ $index }}.json: |
  {{- . | trim | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
