{{/* What proxies are set up by is what `ig` takes, or a mesh would be given something else. */}}
{{- define "ig-guard.validateSettings" -}}
{{- $settings := fromToml .Values.guard.settings -}}
{{- range $table, $key := dict "limits" "max-body-bytes" "identity" "metadata-key" -}}
{{- if hasKey $settings $table -}}
{{- $of := get $settings $table -}}
{{- if not (kindIs "map" $of) -}}
{{- fail (printf "guard.settings: %s is a table; write it as docs/operating.md says" $table) -}}
{{- end -}}
{{- $value := get $of $key -}}
{{- if and (hasKey $of $key) (eq $table "limits") -}}
{{- if not (and (kindIs "int64" $value) (ge (int64 $value) 1) (le (int64 $value) 67108864)) -}}
{{- fail (printf "guard.settings: max-body-bytes of %v is no whole number from 1 to 67108864" $value) -}}
{{- end -}}
{{- else if hasKey $of $key -}}
{{- if not (and (kindIs "string" $value) $value) -}}
{{- fail (printf "guard.settings: metadata-key of %v is no text; write it in quotes" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $cluster := first (splitList "=" .Values.guard.textStore) -}}
{{- if or (has $cluster (list "control-plane" "traces" "upstream" "upstream-primary" "upstream-replica")) (hasPrefix "jwks_" $cluster) (hasPrefix "gateway-" $cluster) -}}
{{- fail (printf "guard.textStore: another cluster of proxies is called %s; give the store another name, here and in the graph's texts" $cluster) -}}
{{- end -}}
{{- end -}}

{{/*
The module has a folder of its own: where it is copied to, a volume takes the folder's place, and
what the image or the system had there is gone.
*/}}
{{- define "ig-guard.validateModule" -}}
{{- $path := .Values.guard.modulePath -}}
{{- $folder := dir $path -}}
{{- $certificates := .Values.mesh.certificates | trimSuffix "/" -}}
{{- if or (regexMatch `/\.{1,2}(/|$)` $path) (ne (clean $path) $path) -}}
{{- fail (printf "guard.modulePath: %s has parts that lead elsewhere; write it without . and .." $path) -}}
{{- end -}}
{{- if regexMatch `^/(usr|bin|sbin|lib|lib32|lib64|boot|dev|proc|sys|root|tmp)(/|$)` $folder -}}
{{- fail (printf "guard.modulePath: %s is the system's; name a folder of its own, such as /etc/envoy" $folder) -}}
{{- end -}}
{{- if or (has $folder (list "/etc" "/var" "/var/lib" "/var/run" "/var/run/secrets" "/run" "/run/secrets" "/opt" "/home" "/mnt" "/srv")) (regexMatch `^/(etc/(ssl|ig)|run/ig|var/run/secrets/kubernetes\.io)(/|$)` $folder) -}}
{{- fail (printf "guard.modulePath: %s has other files too, which would be gone; name a folder of its own, such as /etc/envoy" $folder) -}}
{{- end -}}
{{- if or (hasPrefix (printf "%s/" $certificates) (printf "%s/" $folder)) (hasPrefix (printf "%s/" $folder) (printf "%s/" $certificates)) -}}
{{- fail (printf "guard.modulePath: %s is or has the folder of certificates (mesh.certificates); name another" $folder) -}}
{{- end -}}
{{- end -}}

{{/* Names of services begin with a letter, and have no dot. */}}
{{- define "ig-guard.validateNames" -}}
{{- $name := include "ig-guard.fullname" . -}}
{{- if not (regexMatch `^[a-z]([-a-z0-9]*[a-z0-9])?$` $name) -}}
{{- fail (printf "fullnameOverride: no Service can be called %s; begin with a letter, and use letters, digits and - (the name is made of the release's, nameOverride, or fullnameOverride)" $name) -}}
{{- end -}}
{{- $own := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "app.kubernetes.io/part-of" "helm.sh/chart" "sidecar.istio.io/inject" -}}
{{- $labels := dict "commonLabels" .Values.commonLabels "controlPlane.podLabels" .Values.controlPlane.podLabels "gateway.podLabels" .Values.gateway.podLabels "monitoring.labels" .Values.monitoring.labels "monitoring.dashboards.labels" .Values.monitoring.dashboards.labels -}}
{{- range $value, $given := $labels -}}
{{- range $key, $text := $given -}}
{{- /* Whether Istio injects into a pod of its own is the pod's. */ -}}
{{- $isOwn := and (has $key $own) (or (eq $value "commonLabels") (ne $key "sidecar.istio.io/inject")) -}}
{{- if or $isOwn (and (ne $value "commonLabels") (hasKey $.Values.commonLabels $key)) -}}
{{- fail (printf "%s: %s is set already, and stands there once; leave it out" $value $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $value, $given := dict "controlPlane.podAnnotations" .Values.controlPlane.podAnnotations "gateway.podAnnotations" .Values.gateway.podAnnotations -}}
{{- if hasKey $given "checksum/config" -}}
{{- fail (printf "%s: by checksum/config pods are replaced when their configuration changes; leave it out" $value) -}}
{{- end -}}
{{- end -}}
{{- $annotations := dict "commonAnnotations" .Values.commonAnnotations "controlPlane.service.annotations" .Values.controlPlane.service.annotations "gateway.service.annotations" .Values.gateway.service.annotations "controlPlane.serviceAccount.annotations" .Values.controlPlane.serviceAccount.annotations "gateway.serviceAccount.annotations" .Values.gateway.serviceAccount.annotations "monitoring.dashboards.annotations" .Values.monitoring.dashboards.annotations -}}
{{- range $value, $given := $annotations -}}
{{- range $key, $text := $given -}}
{{- if hasPrefix "helm.sh/" $key -}}
{{- fail (printf "%s: %s would make hooks of the release's objects, which Helm does not keep; leave it out" $value $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Seconds of a duration as Go writes it: `2160h`, `1h30m`. */}}
{{- define "ig-guard.seconds" -}}
{{- $seconds := 0 -}}
{{- range regexFindAll `[0-9]+[hms]` . -1 -}}
{{- $unit := get (dict "h" 3600 "m" 60 "s" 1) (regexFind `[hms]$` .) -}}
{{- $seconds = add $seconds (mul (int64 (regexFind `^[0-9]+` .)) $unit) -}}
{{- end -}}
{{- $seconds -}}
{{- end -}}

{{/* What cert-manager would refuse, which happens after the release is installed. */}}
{{- define "ig-guard.validateCertManager" -}}
{{- $of := .Values.certificates -}}
{{- $duration := int64 (include "ig-guard.seconds" $of.duration) -}}
{{- $before := int64 (include "ig-guard.seconds" $of.renewBefore) -}}
{{- if lt $duration 3600 -}}
{{- fail (printf "certificates.duration: %s is less than the hour that cert-manager asks for at least" $of.duration) -}}
{{- end -}}
{{- if lt $before 300 -}}
{{- fail (printf "certificates.renewBefore: %s is less than the five minutes that cert-manager asks for at least" $of.renewBefore) -}}
{{- end -}}
{{- if ge $before $duration -}}
{{- fail (printf "certificates.renewBefore: %s is not before the end of certificates.duration, %s; make it less" $of.renewBefore $of.duration) -}}
{{- end -}}
{{- range $name := list "issuerRef" "apiIssuerRef" -}}
{{- $issuer := get $of $name -}}
{{- if and $issuer (not $issuer.name) -}}
{{- fail (printf "certificates.%s.name: name the issuer, or leave out certificates.%s" $name $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
