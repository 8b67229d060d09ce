{{/*
One way to write the host of an address, whichever of them it has: at (the value's name), address.
Names end in no dot, IPv6 addresses have all their groups.
*/}}
{{- define "ig-guard.host.one" -}}
{{- $host := regexReplaceAll `:[0-9]+$` (lower .address) "" -}}
{{- if hasPrefix "[" $host -}}
{{- include "ig-guard.host.six" (dict "at" .at "host" (trimAll "[]" $host)) -}}
{{- else -}}
{{- $host = trimSuffix "." $host -}}
{{- if and (regexMatch `^[0-9.]+$` $host) (not (regexMatch `^((0|[1-9][0-9]{0,2})\.){3}(0|[1-9][0-9]{0,2})$` $host)) -}}
{{- fail (printf "%s: %s is no IPv4 address; write four numbers, without zeros before them" .at .address) -}}
{{- end -}}
{{- $host -}}
{{- end -}}
{{- end -}}

{{- define "ig-guard.host.six" -}}
{{- if or (not (regexMatch `^[0-9a-f:]+$` .host)) (gt (len (regexFindAll "::" .host -1)) 1) -}}
{{- fail (printf "%s: [%s] is no IPv6 address in hexadecimal; write the IPv4 address where it has one" .at .host) -}}
{{- end -}}
{{- $halves := splitList "::" .host -}}
{{- $before := without (splitList ":" (first $halves)) "" -}}
{{- $after := list -}}
{{- if gt (len $halves) 1 -}}
{{- $after = without (splitList ":" (last $halves)) "" -}}
{{- end -}}
{{- $missing := sub 8 (add (len $before) (len $after)) -}}
{{- if or (lt (int $missing) 0) (and (eq (len $halves) 1) (ne (int $missing) 0)) -}}
{{- fail (printf "%s: [%s] is no IPv6 address; it has eight groups, or fewer and ::" .at .host) -}}
{{- end -}}
{{- $groups := $before -}}
{{- range until (int $missing) -}}{{- $groups = append $groups "0" -}}{{- end -}}
{{- $same := list -}}
{{- range concat $groups $after -}}{{- $same = append $same (default "0" (trimPrefix "0" . | trimPrefix "0" | trimPrefix "0")) -}}{{- end -}}
{{- printf "[%s]" (join ":" $same) -}}
{{- end -}}
