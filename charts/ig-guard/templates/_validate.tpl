{{/* Checks across values. Each message names the value, and says what to do. */}}
{{- define "ig-guard.validate" -}}
{{- include "ig-guard.validateTexts" . -}}
{{- include "ig-guard.validateSettings" . -}}
{{- include "ig-guard.validateModule" . -}}
{{- include "ig-guard.validateNames" . -}}
{{- include "ig-guard.validateControlPlane" . -}}
{{- include "ig-guard.validateCertificates" . -}}
{{- include "ig-guard.validateResidency" . -}}
{{- include "ig-guard.validateTenants" . -}}
{{- include "ig-guard.validateGateway" . -}}
{{- include "ig-guard.validateTokens" . -}}
{{- include "ig-guard.validateMeshes" . -}}
{{- include "ig-guard.validateMonitoring" . -}}
{{- include "ig-guard.validateNetwork" . -}}
{{- include "ig-guard.validateFormats" . -}}
{{- include "ig-guard.validateProbe" . -}}
{{- include "ig-guard.validateFiles" . -}}
{{- end -}}

{{/*
TOML that values bring along, by what a parser makes of it: a table has many spellings.
*/}}
{{- define "ig-guard.validateTexts" -}}
{{- $settings := include "ig-guard.settings" . | fromJson -}}
{{- range $key := list "residency" "tenants" -}}
{{- if hasKey $settings $key -}}
{{- fail "guard.settings: residency and tenants are made of the values residency, regions and tenants; say it there" -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := dict "version" "the chart's own" "graph" "the value graph" "schema-tag" "guard.schemaTag" "endpoint" "guard.endpoint" -}}
{{- if hasKey $settings $key -}}
{{- fail (printf "guard.settings: %s is made of another value (%s); leave it out" $key $value) -}}
{{- end -}}
{{- end -}}
{{- $extra := fromToml .Values.controlPlane.extraConfig -}}
{{- with $extra.Error -}}
{{- fail (printf "controlPlane.extraConfig: is no TOML (%s); write it as docs/control-plane.md says" (toString .)) -}}
{{- end -}}
{{- if not (toJson $extra) -}}
{{- fail "controlPlane.extraConfig: has nan or inf, which is no value of any setting; write a number" -}}
{{- end -}}
{{- range $key, $value := $extra -}}
{{- if has $key (list "tls" "grpc-tls" "decisions" "rate-limit" "issues") -}}
{{- fail (printf "controlPlane.extraConfig: [%s] is made of other values; leave it out" $key) -}}
{{- end -}}
{{- if not (or (kindIs "map" $value) (kindIs "slice" $value)) -}}
{{- fail (printf "controlPlane.extraConfig: %s stands in no table, and would become part of the one before it; give tables only" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The files as a whole. A character that ends a line for YAML and not for TOML would end the file
in its ConfigMap, so there is none.
*/}}
{{- define "ig-guard.validateFiles" -}}
{{- $files := dict "the values of guard.toml (guard, tenants, regions)" (include "ig-guard.guardConfig" .) "the values of controlPlane" (include "ig-guard.controlPlaneConfig" .) -}}
{{- range $index, $issuer := .Values.tokens.issuers -}}
{{- with $issuer.jwks -}}{{- $_ := set $files (printf "tokens.issuers[%d].jwks" $index) . -}}{{- end -}}
{{- end -}}
{{- /* What is written so that it belongs to the table before it is another setting. */ -}}
{{- $whole := fromToml (get $files "the values of controlPlane") -}}
{{- range $key, $value := fromToml .Values.controlPlane.extraConfig -}}
{{- if and (not $whole.Error) (ne (toJson (get $whole $key)) (toJson $value)) -}}
{{- fail (printf "controlPlane.extraConfig: %s would become part of the table before it; begin each table with its name in brackets" $key) -}}
{{- end -}}
{{- end -}}
{{- range $name, $text := $files -}}
{{- if regexMatch `[\x00-\x08\x0b-\x1f\x7f\x{85}\x{2028}\x{2029}]` $text -}}
{{- fail (printf "%s: have a control character, or an end of a line other than \\n; take it out" $name) -}}
{{- end -}}
{{- if not (hasPrefix "tokens" $name) -}}
{{- with (fromToml $text).Error -}}
{{- fail (printf "%s: do not go together (%s); say each setting once" $name (toString .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The oldest format of snapshots, then the newest. */}}
{{- define "ig-guard.validateFormats" -}}
{{- with .Values.mesh.snapshotFormats -}}
{{- $parts := splitList "-" . -}}
{{- if gt (atoi (first $parts)) (atoi (last $parts)) -}}
{{- fail (printf "mesh.snapshotFormats: %s has the newer format first; write OLDEST-NEWEST" .) -}}
{{- end -}}
{{- if not (or $.Values.istio.enabled $.Values.envoyGateway.enabled) -}}
{{- fail "mesh.snapshotFormats: is of a mesh's module, and there is no mesh; leave it out" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.validateControlPlane" -}}
{{- $of := .Values.controlPlane -}}
{{- if $of.enabled -}}
{{- if and (eq $of.database.kind "sqlite") (ne (int $of.replicas) 1) -}}
{{- fail (printf "controlPlane.replicas: %d pods cannot share a SQLite file; set controlPlane.replicas to 1, or controlPlane.database.kind to postgres" (int $of.replicas)) -}}
{{- end -}}
{{- if and (eq $of.database.kind "sqlite") $of.autoscaling.enabled -}}
{{- fail "controlPlane.autoscaling.enabled: a SQLite file has one pod; leave it off, or set controlPlane.database.kind to postgres" -}}
{{- end -}}
{{- if and (eq $of.database.kind "postgres") (not $of.database.postgres.secretName) -}}
{{- fail "controlPlane.database.postgres.secretName: name the Secret that has the database's URL" -}}
{{- end -}}
{{- if and (ne $of.database.kind "postgres") $of.database.postgres.secretName -}}
{{- fail "controlPlane.database.postgres.secretName: controlPlane.database.kind is sqlite, so nothing is read there; set it to postgres, or leave this out" -}}
{{- end -}}
{{- if and $of.exports.passwordKey (not $of.exports.secretName) -}}
{{- fail "controlPlane.exports.passwordKey: is a key of controlPlane.exports.secretName, which is not given; name the Secret" -}}
{{- end -}}
{{- include "ig-guard.validateBudget" (dict "name" "controlPlane" "of" $of) -}}
{{- if and $of.autoscaling.enabled (gt (int $of.autoscaling.minReplicas) (int $of.autoscaling.maxReplicas)) -}}
{{- fail "controlPlane.autoscaling.minReplicas: more than controlPlane.autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and $of.webauthn.rpId (not $of.webauthn.origins) (not $of.publicUrl) -}}
{{- fail "controlPlane.webauthn.origins: say where the pages are that ask for passkeys, or set controlPlane.publicUrl" -}}
{{- end -}}
{{- if and $of.issues.repository (not $of.issues.tokenSecretName) -}}
{{- fail "controlPlane.issues.tokenSecretName: name the Secret with a token that may write issues in controlPlane.issues.repository" -}}
{{- end -}}
{{- if and $of.issues.tokenSecretName (not $of.issues.repository) -}}
{{- fail "controlPlane.issues.repository: say where alerts become issues, or leave out controlPlane.issues.tokenSecretName" -}}
{{- end -}}
{{- if and $of.webauthn.origins (not $of.webauthn.rpId) -}}
{{- fail "controlPlane.webauthn.rpId: name the domain that passkeys are of" -}}
{{- end -}}
{{- else if not $of.external.address -}}
{{- if or .Values.gateway.enabled .Values.istio.enabled .Values.envoyGateway.enabled -}}
{{- fail "controlPlane.external.address: controlPlane.enabled is false, so say where there is a control plane that proxies take snapshots from" -}}
{{- end -}}
{{- end -}}
{{- if and $of.enabled $of.external.address -}}
{{- fail "controlPlane.external.address: controlPlane.enabled installs one of this release; set one of the two" -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.validateCertificates" -}}
{{- $of := .Values.certificates -}}
{{- $proxies := .Values.gateway.enabled -}}
{{- $meshes := or .Values.istio.enabled .Values.envoyGateway.enabled -}}
{{- if eq $of.mode "secrets" -}}
{{- if and .Values.controlPlane.enabled $of.api (not $of.secrets.api) -}}
{{- fail "certificates.secrets.api: name the Secret with the API's certificate, or set certificates.api to false" -}}
{{- end -}}
{{- if and .Values.controlPlane.enabled (not $of.secrets.grpc) -}}
{{- fail "certificates.secrets.grpc: name the Secret with the certificate of gRPC and the authority of proxies" -}}
{{- end -}}
{{- if and $proxies (not $of.secrets.proxy) -}}
{{- fail "certificates.secrets.proxy: name the Secret with the certificate that says who the gateway is" -}}
{{- end -}}
{{- else -}}
{{- range $name, $secret := $of.secrets -}}
{{- if $secret -}}
{{- fail (printf "certificates.secrets.%s: certificates.mode is %s, so nothing is read there; set it to secrets, or leave this out" $name $of.mode) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.controlPlane.enabled (ne .Values.controlPlane.service.type "ClusterIP") -}}
{{- if eq $of.mode "none" -}}
{{- fail (printf "controlPlane.service.type: %s would show the API and gRPC outside the cluster without TLS (certificates.mode is none); set it to ClusterIP" .Values.controlPlane.service.type) -}}
{{- else if not $of.api -}}
{{- fail (printf "controlPlane.service.type: %s would show the API outside the cluster without TLS (certificates.api is false); set it to ClusterIP, and let a route do TLS" .Values.controlPlane.service.type) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $of.mode "none") $proxies -}}
{{- fail "certificates.mode: none leaves the gateway's snapshots without TLS, and anybody on the way could replace them; set certManager or secrets, or gateway.enabled to false" -}}
{{- end -}}
{{- if eq $of.mode "certManager" -}}
{{- include "ig-guard.validateCertManager" . -}}
{{- end -}}
{{- if and (eq $of.mode "none") .Values.controlPlane.enabled (not (and .Values.networkPolicy.enabled .Values.networkPolicy.grpcFrom)) -}}
{{- fail "certificates.mode: none lets everybody who reaches gRPC be any proxy, take every graph's snapshots and ask about users; set networkPolicy.enabled, and networkPolicy.grpcFrom to who may" -}}
{{- end -}}
{{- if and (eq $of.mode "certManager") (not $of.issuerRef) (or $proxies $meshes) (not .Values.controlPlane.enabled) -}}
{{- fail "certificates.issuerRef: the control plane is elsewhere (controlPlane.external.address), and would not know an authority of this release; name the issuer that it trusts" -}}
{{- end -}}
{{- end -}}

{{/* Some pod has to stay: name, and of. */}}
{{- define "ig-guard.validateBudget" -}}
{{- $pods := int (ternary .of.autoscaling.minReplicas .of.replicas .of.autoscaling.enabled) -}}
{{- $away := .of.pdb.maxUnavailable -}}
{{- if and (gt $pods 1) (not (kindIs "string" $away)) (ge (int $away) $pods) -}}
{{- fail (printf "%s.pdb.maxUnavailable: %d of %d pods could be away at a time, which is all of them; make it less" .name (int $away) $pods) -}}
{{- end -}}
{{- end -}}

{{/* Rules of a network policy that is not there. */}}
{{- define "ig-guard.validateNetwork" -}}
{{- $of := .Values.networkPolicy -}}
{{- range $name := list "apiFrom" "grpcFrom" "metricsFrom" "gatewayFrom" -}}
{{- if and (get $of $name) (not $of.enabled) -}}
{{- fail (printf "networkPolicy.%s: nobody is kept out, since networkPolicy.enabled is false; set it to true, or leave this out" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $of.egress.enabled (not $of.enabled) -}}
{{- fail "networkPolicy.egress.enabled: nothing is kept in, since networkPolicy.enabled is false; set it to true, or leave this out" -}}
{{- end -}}
{{- range $name := list "controlPlane" "gateway" -}}
{{- if and (get $of.egress $name) (not $of.egress.enabled) -}}
{{- fail (printf "networkPolicy.egress.%s: nothing is kept in, since networkPolicy.egress.enabled is false; set it to true, or leave this out" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.validateTokens" -}}
{{- $seen := dict -}}
{{- range $index, $issuer := .Values.tokens.issuers -}}
{{- if eq (empty $issuer.jwks) (empty $issuer.jwksUri) -}}
{{- fail (printf "tokens.issuers[%d]: give either jwksUri or jwks of %s" $index $issuer.issuer) -}}
{{- end -}}
{{- if $issuer.jwks -}}
{{- $keys := default (list) (fromJson $issuer.jwks).keys -}}
{{- if not (and (kindIs "slice" $keys) $keys) -}}
{{- fail (printf "tokens.issuers[%d].jwks: is not a JWK set, which has keys; give the one of %s" $index $issuer.issuer) -}}
{{- end -}}
{{- /* In the text as well: a parser keeps one of two members of a name, and Envoy may keep the other. */ -}}
{{- if or (regexMatch `"(d|k|p|q|dp|dq|qi|oth)"\s*:` $issuer.jwks) (contains `\u` $issuer.jwks) -}}
{{- fail (printf "tokens.issuers[%d].jwks: has a private or symmetric key; give public keys" $index) -}}
{{- end -}}
{{- range $key := $keys -}}
{{- if not (kindIs "map" $key) -}}
{{- fail (printf "tokens.issuers[%d].jwks: is not a JWK set, whose keys are objects; give the one of %s" $index $issuer.issuer) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if hasKey $seen $issuer.issuer -}}
{{- fail (printf "tokens.issuers[%d]: %s is there already; leave it out" $index $issuer.issuer) -}}
{{- end -}}
{{- $_ := set $seen $issuer.issuer true -}}
{{- end -}}
{{- if and .Values.tokens.anyAudience (or .Values.tokens.audiences (not .Values.tokens.issuers)) -}}
{{- fail "tokens.anyAudience: is for tokens.issuers without tokens.audiences; leave it out" -}}
{{- end -}}
{{- if and .Values.tokens.issuers (not (or .Values.tokens.audiences .Values.tokens.anyAudience)) -}}
{{- fail "tokens.audiences: without one a token that an issuer made for another service is good here; name who tokens are for, or set tokens.anyAudience to true" -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.validateGateway" -}}
{{- $of := .Values.gateway -}}
{{- $forwards := and .Values.region (eq .Values.residency.foreign "forward") (gt (len .Values.regions) 1) -}}
{{- if $of.enabled -}}
{{- if and .Values.region $of.upstreams -}}
{{- fail (printf "gateway.upstreams: the hosts of %s are in regions.%s.primary and replicas; leave this out" .Values.region .Values.region) -}}
{{- end -}}
{{- if not (or .Values.region $of.upstreams) -}}
{{- fail "gateway.upstreams: name the GraphQL service, host:port, or set region where tenants have regions" -}}
{{- end -}}
{{- if and (or .Values.regions .Values.guard.settings) (not .Values.tenants) -}}
{{- fail "tenants: guard.toml without a tenant is refused, and the gateway is set up by it where there are regions or guard.settings; name one at least" -}}
{{- end -}}
{{- if and $forwards (not (and $of.peers.secretName $of.peers.name)) -}}
{{- fail "gateway.peers: with residency.foreign forward, requests go to other regions' gateways with their tokens, so set gateway.peers.secretName and gateway.peers.name for TLS" -}}
{{- end -}}
{{- if and $of.peers.secretName (not $forwards) -}}
{{- fail "gateway.peers.secretName: nothing is forwarded; leave it out, or set residency.foreign to forward and give the other regions' files" -}}
{{- end -}}
{{- if and $of.autoscaling.enabled (gt (int $of.autoscaling.minReplicas) (int $of.autoscaling.maxReplicas)) -}}
{{- fail "gateway.autoscaling.minReplicas: more than gateway.autoscaling.maxReplicas" -}}
{{- end -}}
{{- include "ig-guard.validateBudget" (dict "name" "gateway" "of" $of) -}}
{{- if ne (eq $of.service.type "ClusterIP") (not $of.service.plainText) -}}
{{- fail (ternary "gateway.service.plainText: gateway.service.type is ClusterIP, so nothing is shown outside the cluster; leave it out" (printf "gateway.service.type: %s would show plain HTTP outside the cluster, and access tokens with it; set it to ClusterIP and let a Gateway do TLS, or gateway.service.plainText to true where the load balancer does" $of.service.type) (eq $of.service.type "ClusterIP")) -}}
{{- end -}}
{{- if and $of.admin.exposed (not .Values.networkPolicy.enabled) -}}
{{- fail "gateway.admin.exposed: who reaches Envoy's admin interface can stop it; set networkPolicy.enabled, and networkPolicy.metricsFrom to who may" -}}
{{- end -}}
{{- if and (eq $of.module.from "image") (semverCompare "<1.35.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "gateway.module.from: image needs Kubernetes 1.35, and this is %s; set it to init" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and (eq $of.module.from "volume") (not $of.extraVolumeMounts) -}}
{{- fail "gateway.module.from: volume needs a mount of the module at guard.modulePath in gateway.extraVolumeMounts" -}}
{{- end -}}
{{- end -}}
{{- if and $of.httpRoute.enabled (not $of.enabled) -}}
{{- fail "gateway.httpRoute.enabled: there is no gateway to lead to; set gateway.enabled" -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.validateMonitoring" -}}
{{- $of := .Values.monitoring -}}
{{- if and $of.serviceMonitor.enabled (not $of.serviceMonitor.tokenSecretName) -}}
{{- fail "monitoring.serviceMonitor.tokenSecretName: metrics are for viewers; name the Secret with a token of `ig access create prometheus --role viewer`" -}}
{{- end -}}
{{- $ca := $of.serviceMonitor.ca -}}
{{- if and $of.serviceMonitor.enabled .Values.certificates.api (not $ca.from) (or (eq .Values.certificates.mode "secrets") .Values.certificates.apiIssuerRef.name) -}}
{{- fail "monitoring.serviceMonitor.ca.from: the API's Secret need not have who signed its certificate (certificates.mode secrets, certificates.apiIssuerRef); say secret, configMap or system" -}}
{{- end -}}
{{- if ne (empty $ca.name) (not (has $ca.from (list "secret" "configMap"))) -}}
{{- fail "monitoring.serviceMonitor.ca.name: names a Secret or ConfigMap, where monitoring.serviceMonitor.ca.from says which; give both or neither" -}}
{{- end -}}
{{- if and $of.podMonitor.enabled (not (and .Values.gateway.enabled .Values.gateway.admin.exposed)) -}}
{{- fail "monitoring.podMonitor.enabled: Envoy's metrics are at its admin interface; set gateway.enabled and gateway.admin.exposed" -}}
{{- end -}}
{{- $route := .Values.controlPlane.httpRoute -}}
{{- if and $route.enabled (not $route.parentRefs) -}}
{{- fail "controlPlane.httpRoute.parentRefs: name the Gateway that the route hangs on" -}}
{{- end -}}
{{- if and $route.enabled (not .Values.controlPlane.enabled) -}}
{{- fail "controlPlane.httpRoute.enabled: there is no control plane to lead to; set controlPlane.enabled" -}}
{{- end -}}
{{- $isTls := and (ne .Values.certificates.mode "none") .Values.certificates.api -}}
{{- if and $route.enabled (ne $isTls $route.backendTls) -}}
{{- fail (ternary "controlPlane.httpRoute.enabled: the API has TLS (certificates.api), and a Gateway would speak plain HTTP to it; set certificates.api to false, or controlPlane.httpRoute.backendTls to true where a BackendTLSPolicy is" "controlPlane.httpRoute.backendTls: the API has no TLS (certificates.api, certificates.mode); set it to false" $isTls) -}}
{{- end -}}
{{- if and .Values.gateway.httpRoute.enabled (not .Values.gateway.httpRoute.parentRefs) -}}
{{- fail "gateway.httpRoute.parentRefs: name the Gateway that the route hangs on" -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.validateMeshes" -}}
{{- $istio := .Values.istio -}}
{{- $selector := $istio.selector -}}
{{- range $name := list "istio" "envoyGateway" -}}
{{- if (get $.Values $name).enabled -}}
{{- if $.Values.regions -}}
{{- fail (printf "%s.enabled: tenants' data lives in regions (%s), and a mesh routes as it likes; set gateway.enabled instead, or leave out regions" $name (keys $.Values.regions | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if eq $.Values.certificates.mode "none" -}}
{{- fail (printf "certificates.mode: none leaves snapshots without TLS, and anybody on the way could replace them; set certManager or secrets, or %s.enabled to false" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $istio.enabled -}}
{{- $given := compact (list (ternary "" "labels" (empty $selector.labels)) (ternary "" "gateway" (empty $selector.gateway)) (ternary "" "service" (empty $selector.service))) -}}
{{- if ne (len $given) 1 -}}
{{- fail (printf "istio.selector: give one of labels, gateway and service; there is %s" (default "none" (join ", " $given))) -}}
{{- end -}}
{{- if and (eq $istio.workload "sidecar") (not $selector.labels) -}}
{{- fail (printf "istio.selector.%s: sidecars are chosen by istio.selector.labels" (first $given)) -}}
{{- end -}}
{{- if and (eq $istio.workload "waypoint") $selector.labels -}}
{{- fail "istio.selector.labels: a waypoint is chosen by istio.selector.gateway, its own name, or istio.selector.service" -}}
{{- end -}}
{{- if and $selector.service (ne $istio.workload "waypoint") -}}
{{- fail (printf "istio.selector.service: only a waypoint takes the requests of a Service, and istio.workload is %s" $istio.workload) -}}
{{- end -}}
{{- if and (eq $istio.workload "waypoint") (gt (int (include "ig-guard.meshBuffer" .)) 1048576) -}}
{{- fail (printf "guard.settings: max-body-bytes of %s do not fit a waypoint, which holds 1048576; lower it, or set istio.workload to gateway or sidecar" (include "ig-guard.meshBuffer" .)) -}}
{{- end -}}
{{- end -}}
{{- if .Values.envoyGateway.enabled -}}
{{- if not .Values.envoyGateway.gateway -}}
{{- fail "envoyGateway.gateway: name the Gateway whose proxies are guarded" -}}
{{- end -}}
{{- range $index, $port := .Values.envoyGateway.ports -}}
{{- if and $.Values.envoyGateway.create.enabled (ne (int $port) (add (int $.Values.envoyGateway.create.port) $index)) -}}
{{- fail (printf "envoyGateway.ports[%d]: the listeners that envoyGateway.create makes have the ports from %d on; say these" $index (int $.Values.envoyGateway.create.port)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.envoyGateway.create.enabled .Values.envoyGateway.ports (ne (len .Values.envoyGateway.ports) (len .Values.envoyGateway.listeners)) -}}
{{- fail "envoyGateway.ports: give one for each of envoyGateway.listeners, or a listener is not guarded" -}}
{{- end -}}
{{- $last := sub (add (int .Values.envoyGateway.create.port) (len .Values.envoyGateway.listeners)) 1 -}}
{{- if and .Values.envoyGateway.create.enabled (gt (int $last) 65535) -}}
{{- fail (printf "envoyGateway.create.port: the last of envoyGateway.listeners would have the port %d, and 65535 is the highest; begin lower" (int $last)) -}}
{{- end -}}
{{- if and .Values.envoyGateway.create.enabled (not .Values.envoyGateway.create.service) -}}
{{- fail "envoyGateway.create.service: name the GraphQL service that the route leads to" -}}
{{- end -}}
{{- end -}}
{{- end -}}
