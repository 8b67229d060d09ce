{{/* TOML. A JSON string or list of strings is one of TOML too. */}}

{{/* Configuration of the control plane (docs/control-plane.md), secrets aside. */}}
{{- define "ig-guard.controlPlaneConfig" -}}
{{- $of := .Values.controlPlane -}}
{{- $tls := ne .Values.certificates.mode "none" -}}
{{- $api := and $tls .Values.certificates.api -}}
version = 1
listen = "0.0.0.0:8080"
grpc-listen = "0.0.0.0:18000"
module = {{ .Values.guard.modulePath | toJson }}
{{- if eq $of.database.kind "sqlite" }}
database = "sqlite:/var/lib/ig/ig-control-plane.db"
{{- end }}
database-patience-seconds = {{ int $of.database.patienceSeconds }}
failed-logins-per-minute = {{ int $of.failedLoginsPerMinute }}
{{- if not $api }}
allow-plain-text = true
{{- end }}
{{- with $of.publicUrl }}
public-url = {{ toJson . }}
{{- end }}
{{- if $api }}

[tls]
certificate = "/etc/ig/api/tls.crt"
key = "/etc/ig/api/tls.key"
{{- end }}
{{- if $tls }}

[grpc-tls]
certificate = "/etc/ig/grpc/tls.crt"
key = "/etc/ig/grpc/tls.key"
client-ca = "/etc/ig/grpc/ca.crt"
{{- end }}
{{- with $of.oidc }}

[oidc]
issuer = {{ toJson .issuer }}
audience = {{ toJson .audience }}
{{- with .jwks }}
jwks = {{ toJson . }}
{{- end }}
{{- with .groupsClaim }}
groups-claim = {{ toJson . }}
{{- end }}

[oidc.roles]
{{- range $role, $groups := .roles }}
{{ $role }} = {{ toJson $groups }}
{{- end }}
{{- with .tenantAdmins }}

[oidc.tenant-admins]
{{- range $tenant, $groups := . }}
{{ toJson $tenant }} = {{ toJson $groups }}
{{- end }}
{{- end }}
{{- end }}

[decisions]
keep-days = {{ int $of.decisions.keepDays }}
keep-rows = {{ int $of.decisions.keepRows }}

[rate-limit]
redis-timeout-ms = {{ int $of.rateLimit.redisTimeoutMs }}
{{- if $of.webauthn.rpId }}

[webauthn]
rp-id = {{ toJson $of.webauthn.rpId }}
rp-name = {{ toJson $of.webauthn.rpName }}
origins = {{ toJson (default (list $of.publicUrl) $of.webauthn.origins) }}
{{- end }}
{{- if $of.exports.secretName }}

[exports]
key = {{ printf "/etc/ig/exports/%s" $of.exports.secretKey | toJson }}
{{- end }}
{{- if or $of.ledger.origin $of.ledger.witnesses }}

[ledger]
{{- with $of.ledger.origin }}
origin = {{ toJson . }}
{{- end }}
{{- range $of.ledger.witnesses }}

[[ledger.witnesses]]
url = {{ toJson .url }}
key = {{ toJson .key }}
{{- end }}
{{- end }}
{{- if $of.issues.repository }}

[issues]
kind = {{ toJson $of.issues.kind }}
url = {{ toJson $of.issues.url }}
repository = {{ toJson $of.issues.repository }}
token-file = "/etc/ig/issues/token"
labels = {{ toJson $of.issues.labels }}
critical-labels = {{ toJson $of.issues.criticalLabels }}
{{- end }}
{{- with $of.extraConfig }}

{{ . | trim }}
{{- end }}
{{ end -}}

{{/* `guard.settings` as JSON, however its TOML is spelt. What is wrong with it fails the render. */}}
{{- define "ig-guard.settings" -}}
{{- $said := fromToml .Values.guard.settings -}}
{{- with $said.Error -}}
{{- fail (printf "guard.settings: is no TOML (%s); write it as docs/operating.md says" (toString .)) -}}
{{- end -}}
{{- $json := toJson $said -}}
{{- /* JSON cannot say what is not finite, and what is empty would pass every check. */ -}}
{{- if not $json -}}
{{- fail "guard.settings: has nan or inf, which is no value of any setting; write a number" -}}
{{- end -}}
{{- $json -}}
{{- end -}}

{{/* guard.toml of the graph, as `ig graph put`, `ig tenant import` and `ig envoy render` take it. */}}
{{- define "ig-guard.guardConfig" -}}
version = 1
graph = {{ toJson .Values.graph }}
schema-tag = {{ toJson .Values.guard.schemaTag }}
endpoint = {{ toJson .Values.guard.endpoint }}
{{- with .Values.guard.settings }}

{{ . | trim }}
{{- end }}
{{- range $id, $tenant := .Values.tenants }}

[tenants.{{ toJson $id }}]
{{- with $tenant.region }}
region = {{ toJson . }}
{{- end }}
{{- with $tenant.purposes }}
purposes = {{ toJson . }}
{{- end }}
{{- with $tenant.priority }}
priority = {{ toJson . }}
{{- end }}
{{- with $tenant.ratePercent }}
rate-percent = {{ int . }}
{{- end }}
{{- with $tenant.modes }}

[tenants.{{ toJson $id }}.modes]
{{- range $guard, $mode := . }}
{{ $guard }} = {{ toJson $mode }}
{{- end }}
{{- end }}
{{- range $issuer, $link := $tenant.issuers }}

[tenants.{{ toJson $id }}.issuers.{{ toJson $issuer }}]
claim = {{ toJson $link.claim }}
attribute = {{ toJson $link.attribute }}
{{- end }}
{{- with $tenant.purposesByGroup }}

[tenants.{{ toJson $id }}.purposes-by-group]
{{- range $group, $purposes := . }}
{{ toJson $group }} = {{ toJson $purposes }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.regions }}

[residency]
foreign = {{ toJson .Values.residency.foreign }}
{{- with .Values.residency.defaultRegion }}
default-region = {{ toJson . }}
{{- end }}
{{- range $name, $region := .Values.regions }}

[residency.regions.{{ toJson $name }}]
gateways = {{ toJson (default (list) $region.gateways) }}
primary = {{ toJson (default (list) $region.primary) }}
{{- with $region.replicas }}
replicas = {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}
{{ end -}}
