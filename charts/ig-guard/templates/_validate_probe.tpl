{{/* A probe that is on proves what it says. */}}
{{- define "ig-guard.validateProbe" -}}
{{- $of := .Values.probe -}}
{{- if $of.enabled -}}
{{- if and (or .Values.istio.enabled .Values.envoyGateway.enabled) (not $of.url) -}}
{{- fail "probe.url: where the mesh's proxies take GraphQL is not known here, and a mesh that takes no patch serves without a guard; say what to ask, or set probe.enabled to false" -}}
{{- end -}}
{{- $guarded := 0 -}}
{{- range list .Values.gateway.enabled .Values.istio.enabled .Values.envoyGateway.enabled -}}
{{- if . -}}{{- $guarded = add $guarded 1 -}}{{- end -}}
{{- end -}}
{{- if gt (int $guarded) 1 -}}
{{- fail "probe.enabled: a release's probe asks at one place, and gateway, istio and envoyGateway are several; make a release of each, or set probe.enabled to false" -}}
{{- end -}}
{{- if include "ig-guard.probeUrl" . -}}
{{- if and (not $of.tokenSecretName) (not $of.onlyPresence) -}}
{{- fail "probe.tokenSecretName: without an access token the probe cannot see whether the allow-list denies, nor whether bodies are read; name the Secret with one, or set probe.onlyPresence to true, which proves that a guard stands there and no more" -}}
{{- end -}}
{{- include "ig-guard.validateProbeArgs" . -}}
{{- if and $of.ca.secretName (not (hasPrefix "https://" (include "ig-guard.probeUrl" .))) -}}
{{- fail "probe.ca.secretName: what is asked has no TLS; leave it out, or give probe.url with https" -}}
{{- end -}}
{{- if and $of.tokenSecretName $of.onlyPresence -}}
{{- fail "probe.onlyPresence: with probe.tokenSecretName more is proven; leave out one of the two" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
More arguments may say how is asked, not what passes: an option is followed by its value, and each
is one of these.
*/}}
{{- define "ig-guard.validateProbeArgs" -}}
{{- $option := "" -}}
{{- range $index, $word := .Values.probe.extraArgs -}}
{{- $at := printf "probe.extraArgs[%d]" $index -}}
{{- $value := $word -}}
{{- $isName := not $option -}}
{{- if $isName -}}
{{- $parts := regexSplit "=" $word 2 -}}
{{- $option = first $parts -}}
{{- $value = ternary (last $parts) "" (gt (len $parts) 1) -}}
{{- if not (has $option (list "--header" "--timeout" "--json")) -}}
{{- fail (printf "%s: %s would make the probe prove something else; give --header, --timeout or --json, and other values of probe for the rest" $at $option) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $option "--header") (regexMatch `^\s*(?i:authorization)\s*:` $value) -}}
{{- fail (printf "%s: a token is a secret, and arguments are read by whoever sees the pod; name its Secret in probe.tokenSecretName" $at) -}}
{{- end -}}
{{- if or (not $isName) (eq $option "--json") (contains "=" $word) -}}{{- $option = "" -}}{{- end -}}
{{- end -}}
{{- if $option -}}
{{- fail (printf "probe.extraArgs: %s has no value; give it" $option) -}}
{{- end -}}
{{- end -}}
