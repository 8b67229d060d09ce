{{/* Jurisdiction of a region; empty where nobody says. */}}
{{- define "ig-guard.jurisdiction" -}}
{{- $region := .region -}}
{{- range $jurisdiction, $regions := .root.Values.residency.jurisdictions -}}
{{- if has $region $regions -}}{{- $jurisdiction -}}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.validateResidency" -}}
{{- $root := . -}}
{{- $names := keys .Values.regions | sortAlpha -}}
{{- $known := join ", " $names -}}
{{- $seen := dict -}}
{{- range $jurisdiction, $regions := .Values.residency.jurisdictions -}}
{{- range $region := $regions -}}
{{- if hasKey $seen $region -}}
{{- fail (printf "residency.jurisdictions.%s: %s is in %s already; a region is in one jurisdiction" $jurisdiction $region (get $seen $region)) -}}
{{- end -}}
{{- $_ := set $seen $region $jurisdiction -}}
{{- end -}}
{{- end -}}
{{- if and .Values.region (not (hasKey .Values.regions .Values.region)) -}}
{{- fail (printf "region: %s is not among regions (%s); give its file of values/regions too" .Values.region (default "there is none" $known)) -}}
{{- end -}}
{{- with .Values.residency.defaultRegion -}}
{{- if not (hasKey $root.Values.regions .) -}}
{{- fail (printf "residency.defaultRegion: %s is not among regions (%s)" . (default "there is none" $known)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.regions .Values.gateway.enabled (not .Values.region) -}}
{{- fail (printf "region: tenants' data lives in regions (%s), so say in which of them this gateway is" $known) -}}
{{- end -}}
{{- $hosts := dict -}}
{{- $regionOf := dict -}}
{{- range $name := $names -}}
{{- $region := default (dict) (get $root.Values.regions $name) -}}
{{- $jurisdiction := include "ig-guard.jurisdiction" (dict "root" $root "region" $name) -}}
{{- if not $jurisdiction -}}
{{- fail (printf "regions.%s: unknown region; say in residency.jurisdictions under which law it is" $name) -}}
{{- end -}}
{{- if not $region.gateways -}}
{{- fail (printf "regions.%s.gateways: a region without a gateway serves nobody; name its gateway's host:port" $name) -}}
{{- end -}}
{{- if not $region.primary -}}
{{- $why := ternary (printf "replicas (%s) without a primary take no writes" (join ", " $region.replicas)) "without a primary nothing is written" (not (empty $region.replicas)) -}}
{{- fail (printf "regions.%s.primary: %s; name the primary's host:port" $name $why) -}}
{{- end -}}
{{- range $list := list "gateways" "primary" "replicas" -}}
{{- range $index, $host := default (list) (get $region $list) -}}
{{- $at := printf "regions.%s.%s[%d]" $name $list $index -}}
{{- $same := include "ig-guard.host.one" (dict "at" $at "address" $host) -}}
{{- $address := printf "%s:%s" $same (regexFind `[0-9]+$` $host) -}}
{{- if hasKey $hosts $address -}}
{{- fail (printf "%s: %s is at %s already; a host has one role in one region" $at $host (get $hosts $address)) -}}
{{- end -}}
{{- $_ := set $hosts $address $at -}}
{{- $elsewhere := get $regionOf $same -}}
{{- if and $elsewhere (ne $elsewhere $name) -}}
{{- fail (printf "%s: %s is a host of %s already; a host is in one region, whatever its port" $at $host $elsewhere) -}}
{{- end -}}
{{- $_ := set $regionOf $same $name -}}
{{- include "ig-guard.validateHost" (dict "root" $root "at" $at "host" $host "region" $name "jurisdiction" $jurisdiction) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
A host whose name has the name of another region is a slip that no address shows, also where it has
its own region's beside it. Separators of a region's name may be others or none, and its zone may
follow: `us-east-1a`, `us_east_1`, `useast1`.
*/}}
{{- define "ig-guard.validateHost" -}}
{{- $of := . -}}
{{- $own := regexReplaceAll "[-_]" (lower $of.region) "" -}}
{{- range $jurisdiction, $regions := .root.Values.residency.jurisdictions -}}
{{- range $other := $regions -}}
{{- if ne (regexReplaceAll "[-_]" (lower $other) "") $own -}}
{{- $name := splitList "-" (lower $other | replace "_" "-") -}}
{{- $parts := list -}}
{{- range $name -}}{{- $parts = append $parts (regexQuoteMeta .) -}}{{- end -}}
{{- if regexMatch (printf `(^|[^a-z0-9])%s[a-z]?([^a-z0-9]|$)` (join "[-_]?" $parts)) (lower $of.host) -}}
{{- fail (printf "%s: %s is in %s (%s) by its name, and %s is in %s; name a host of this region" $of.at $of.host $other $jurisdiction $of.region $of.jurisdiction) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.validateTenants" -}}
{{- $root := . -}}
{{- $known := keys .Values.regions | sortAlpha | join ", " -}}
{{- range $id := keys .Values.tenants | sortAlpha -}}
{{- $tenant := default (dict) (get $root.Values.tenants $id) -}}
{{- $region := default $root.Values.residency.defaultRegion $tenant.region -}}
{{- if and $root.Values.regions (not $region) -}}
{{- fail (printf "tenants.%s.region: say where the tenant lives (%s), or set residency.defaultRegion" $id $known) -}}
{{- end -}}
{{- if and $region $root.Values.regions (not (hasKey $root.Values.regions $region)) -}}
{{- fail (printf "tenants.%s.region: %s is not among regions (%s); give its file of values/regions too" $id $region $known) -}}
{{- end -}}
{{- range $group, $purposes := $tenant.purposesByGroup -}}
{{- range $purpose := $purposes -}}
{{- if not (has $purpose (default (list) $tenant.purposes)) -}}
{{- fail (printf "tenants.%s.purposesByGroup.%s: %s is not among tenants.%s.purposes" $id $group $purpose $id) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $tenant.jurisdiction -}}
{{- include "ig-guard.validateHeld" (dict "root" $root "id" $id "tenant" $tenant) -}}
{{- if not (hasKey $root.Values.residency.jurisdictions .) -}}
{{- fail (printf "tenants.%s.jurisdiction: %s is not among residency.jurisdictions (%s)" $id . (keys $root.Values.residency.jurisdictions | sortAlpha | join ", ")) -}}
{{- end -}}
{{- $actual := include "ig-guard.jurisdiction" (dict "root" $root "region" $region) -}}
{{- if ne $actual . -}}
{{- $upstream := join ", " (get (default (dict) (get $root.Values.regions $region)) "primary") -}}
{{- fail (printf "tenants.%s.region: data of %s has to stay in %s, and %s is in %s (upstream %s); give it a region of %s" $id $id . (default "no region" $region) (default "no jurisdiction" $actual) (default "none" $upstream) .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not .Values.regions -}}
{{- include "ig-guard.validateOneUpstream" . -}}
{{- end -}}
{{- end -}}

{{/* A tenant with a jurisdiction is held to it: root, id, tenant. */}}
{{- define "ig-guard.validateHeld" -}}
{{- if not .root.Values.regions -}}
{{- fail (printf "tenants.%s.jurisdiction: without regions nothing holds its requests to %s; give the files of values/regions, or leave it out" .id .tenant.jurisdiction) -}}
{{- end -}}
{{- $modes := get (include "ig-guard.settings" .root | fromJson) "modes" -}}
{{- $mode := get (default (dict) .tenant.modes) "residency" -}}
{{- if eq $mode "shadow" -}}
{{- fail (printf "tenants.%s.modes.residency: shadow only watches, and data of %s has to stay in %s; set it to enforce, or leave out tenants.%s.jurisdiction" .id .id .tenant.jurisdiction .id) -}}
{{- end -}}
{{- if and (not $mode) (kindIs "map" $modes) (eq (toString (get $modes "residency")) "shadow") -}}
{{- fail (printf "guard.settings: modes.residency shadow only watches, and data of %s has to stay in %s; set it to enforce, or leave out tenants.%s.jurisdiction" .id .tenant.jurisdiction .id) -}}
{{- end -}}
{{- end -}}

{{/* Without regions all tenants are served by the same hosts: those of one law. */}}
{{- define "ig-guard.validateOneUpstream" -}}
{{- $root := . -}}
{{- $first := "" -}}
{{- $law := "" -}}
{{- range $id := keys .Values.tenants | sortAlpha -}}
{{- $region := (default (dict) (get $root.Values.tenants $id)).region -}}
{{- $own := include "ig-guard.jurisdiction" (dict "root" $root "region" $region) -}}
{{- if $own -}}
{{- if and $law (ne $own $law) -}}
{{- fail (printf "tenants.%s.region: %s is in %s, and %s of tenants.%s in %s; without regions one upstream serves both, so give the files of values/regions" $id $region $own (get $root.Values.tenants $first).region $first $law) -}}
{{- end -}}
{{- $first = $id -}}
{{- $law = $own -}}
{{- range $index, $host := $root.Values.gateway.upstreams -}}
{{- include "ig-guard.validateHost" (dict "root" $root "at" (printf "gateway.upstreams[%d]" $index) "host" $host "region" $region "jurisdiction" $own) -}}
{{- end -}}
{{- include "ig-guard.validateHost" (dict "root" $root "at" "envoyGateway.create.service" "host" $root.Values.envoyGateway.create.service "region" $region "jurisdiction" $own) -}}
{{- end -}}
{{- end -}}
{{- end -}}
