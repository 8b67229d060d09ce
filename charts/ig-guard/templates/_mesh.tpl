{{/*
What a mesh's proxies get is what `ig envoy render --flavour istio` writes:
files/mesh.json has its pieces, with placeholders for what differs. A test makes
that file anew, and compares what is rendered here with what `ig` renders.
*/}}

{{/* What stands between the quotes of a JSON string. */}}
{{- define "ig-guard.inJson" -}}
{{- . | toJson | trimPrefix "\"" | trimSuffix "\"" -}}
{{- end -}}

{{/* Bytes that proxies have to hold: what the guard may read, at least what they hold anyway. */}}
{{- define "ig-guard.meshBuffer" -}}
{{- $limits := get (include "ig-guard.settings" . | fromJson) "limits" -}}
{{- $limit := ternary (get (default (dict) $limits) "max-body-bytes") 0 (kindIs "map" $limits) -}}
{{- max 1048576 (int64 $limit) -}}
{{- end -}}

{{/* Key of the verified payload, as the guard looks for it. */}}
{{- define "ig-guard.metadataKey" -}}
{{- $identity := get (include "ig-guard.settings" . | fromJson) "identity" -}}
{{- $key := ternary (get (default (dict) $identity) "metadata-key") "" (kindIs "map" $identity) -}}
{{- default "ig" $key -}}
{{- end -}}

{{/* A cluster of one host: cluster, name, host, port, and buffer. */}}
{{- define "ig-guard.meshCluster" -}}
{{- $cluster := .cluster -}}
{{- $_ := set $cluster "name" .name -}}
{{- $_ := set $cluster "per_connection_buffer_limit_bytes" (int .buffer) -}}
{{- $address := dict "address" (trimAll "[]" .host) "port_value" (int .port) -}}
{{- $hosts := list (dict "endpoint" (dict "address" (dict "socket_address" $address))) -}}
{{- $_ := set $cluster "load_assignment" (dict "cluster_name" .name "endpoints" (list (dict "lb_endpoints" $hosts))) -}}
{{- if regexMatch `^([0-9.]+|\[.*\])$` .host -}}
{{- $_ := set $cluster "type" "STATIC" -}}
{{- $_ := unset $cluster "dns_lookup_family" -}}
{{- end -}}
{{- with $cluster.transport_socket -}}
{{- $_ := set .typed_config "sni" (trimAll "[]" $.host) -}}
{{- /* With certificates of secret discovery the names stand beside it. */ -}}
{{- $combined := default (dict) .typed_config.common_tls_context.combined_validation_context -}}
{{- $context := default .typed_config.common_tls_context.validation_context $combined.default_validation_context -}}
{{- $_ := set $context "match_typed_subject_alt_names" (list (dict "san_type" "DNS" "matcher" (dict "exact" (trimAll "[]" $.host)))) -}}
{{- end -}}
{{- toJson $cluster -}}
{{- end -}}

{{/*
files/mesh.json with values in place of placeholders. All at once: a value may be called what a
placeholder is.
*/}}
{{- define "ig-guard.meshText" -}}
{{- $text := .Files.Get "files/mesh.json" -}}
{{- $values := dict "GRAPH-NAME" .Values.graph "MODULE-PATH" .Values.guard.modulePath "PROXY-FOLDER" (.Values.mesh.certificates | trimSuffix "/") "JWKS-CA" .Values.tokens.ca -}}
{{- $placeholder := printf "/?(%s)" (keys $values | sortAlpha | join "|") -}}
{{- $between := regexSplit $placeholder $text -1 -}}
{{- first $between -}}
{{- range $index, $found := regexFindAll $placeholder $text -1 -}}
{{- include "ig-guard.inJson" (get $values (trimPrefix "/" $found)) -}}
{{- index $between (add1 $index) -}}
{{- end -}}
{{- end -}}

{{/* The pieces with this release's values, as JSON: clusters, manager, filters, sds, buffer. */}}
{{- define "ig-guard.mesh" -}}
{{- $texts := regexSplit "=" .Values.guard.textStore 2 -}}
{{- $text := include "ig-guard.meshText" . -}}
{{- /* What the module reads, where it is of another release than the chart. */ -}}
{{- with .Values.mesh.snapshotFormats -}}
{{- $text = regexReplaceAll `("x-ig-snapshot-formats",\s*"value": )"[0-9-]+"` $text (printf `${1}"%s"` .) -}}
{{- end -}}
{{- $pieces := fromJson $text -}}
{{- $buffer := int (include "ig-guard.meshBuffer" .) -}}
{{- $clusters := list -}}
{{- if .Values.guard.textStore -}}
{{- $address := last $texts -}}
{{- $port := regexFind `[0-9]+$` $address -}}
{{- $clusters = append $clusters (include "ig-guard.meshCluster" (dict "cluster" $pieces.clusters.texts "name" (first $texts) "host" ($address | trimSuffix (printf ":%s" $port)) "port" $port "buffer" $buffer) | fromJson) -}}
{{- end -}}
{{- $providers := dict -}}
{{- $requirements := list -}}
{{- range $index, $issuer := .Values.tokens.issuers -}}
{{- $name := ternary "issuer" (printf "issuer%d" (add1 $index)) (eq $index 0) -}}
{{- $provider := deepCopy $pieces.provider -}}
{{- $_ := set $provider "issuer" $issuer.issuer -}}
{{- $_ := set $provider "payload_in_metadata" (include "ig-guard.metadataKey" $) -}}
{{- if $.Values.tokens.audiences -}}
{{- $_ := set $provider "audiences" $.Values.tokens.audiences -}}
{{- else -}}
{{- $_ := unset $provider "audiences" -}}
{{- end -}}
{{- if $issuer.jwksUri -}}
{{- $url := urlParse $issuer.jwksUri -}}
{{- $given := regexFind `:[0-9]+$` $url.host -}}
{{- $host := $url.host | trimSuffix $given -}}
{{- $cluster := printf "jwks_%s" $name -}}
{{- $_ := set $provider.remote_jwks "http_uri" (dict "uri" $issuer.jwksUri "cluster" $cluster "timeout" $provider.remote_jwks.http_uri.timeout) -}}
{{- $clusters = append $clusters (include "ig-guard.meshCluster" (dict "cluster" (deepCopy $pieces.clusters.jwks) "name" $cluster "host" $host "port" (default "443" (trimPrefix ":" $given)) "buffer" $buffer) | fromJson) -}}
{{- else -}}
{{- $_ := unset $provider "remote_jwks" -}}
{{- $_ := set $provider "local_jwks" (dict "inline_string" $issuer.jwks) -}}
{{- end -}}
{{- $_ := set $providers $name $provider -}}
{{- $requirements = append $requirements (dict "provider_name" $name) -}}
{{- end -}}
{{- $address := include "ig-guard.controlPlane" . -}}
{{- $port := regexFind `[0-9]+$` $address -}}
{{- $clusters = append $clusters (include "ig-guard.meshCluster" (dict "cluster" $pieces.clusters.controlPlane "name" "control-plane" "host" ($address | trimSuffix (printf ":%s" $port)) "port" $port "buffer" $buffer) | fromJson) -}}
{{- $filters := list -}}
{{- range $filter := $pieces.filters -}}
{{- if eq $filter.name "ig.jwt_authn" -}}
{{- if $providers -}}
{{- $_ := set $filter.typed_config "providers" $providers -}}
{{- $rules := list (dict "match" (dict "prefix" "/") "requires" (dict "requires_any" (dict "requirements" (append $requirements (dict "allow_missing_or_failed" (dict)))))) -}}
{{- $_ := set $filter.typed_config "rules" $rules -}}
{{- $filters = append $filters $filter -}}
{{- end -}}
{{- else -}}
{{- $filters = append $filters $filter -}}
{{- end -}}
{{- end -}}
{{- $_ := set $pieces.manager.typed_config "http2_protocol_options" (dict "initial_stream_window_size" $buffer) -}}
{{- dict "clusters" $clusters "manager" $pieces.manager "filters" $filters "sds" $pieces.sds "buffer" $buffer | toJson -}}
{{- end -}}
