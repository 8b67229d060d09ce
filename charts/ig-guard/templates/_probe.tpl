{{/* A Job that asks for what is not in the catalogue: `hook`, and `name` of the object. */}}
{{- define "ig-guard.probeJob" -}}
{{- $of := .root.Values.probe -}}
{{- $me := dict "root" .root "name" "probe" -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- $annotations := dict "helm.sh/hook" .hook "helm.sh/hook-weight" "10" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" }}
  {{- include "ig-guard.metadata" (merge (dict "annotations" $annotations "suffix" .suffix) $me) | nindent 2 }}
spec:
  # Helm waits five minutes by default.
  backoffLimit: 1
  activeDeadlineSeconds: {{ add 60 (mul 2 (add (int $of.waitSeconds) (int $of.holdSeconds))) }}
  # 1: something came through, which no waiting mends. 2: it could not be found out.
  podFailurePolicy:
    rules:
      - action: FailJob
        onExitCodes:
          containerName: probe
          operator: In
          values: [1]
  template:
    metadata:
      labels:
        {{- include "ig-guard.labels" $me | nindent 8 }}
        # It asks as a client from outside would.
        sidecar.istio.io/inject: "false"
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with include "ig-guard.pullSecrets" .root }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      securityContext:
        {{- include "ig-guard.podSecurity" . | nindent 8 }}
      containers:
        - name: probe
          image: {{ include "ig-guard.image" (dict "root" .root "image" .root.Values.images.controlPlane) | quote }}
          imagePullPolicy: {{ .root.Values.images.pullPolicy }}
          command: [/usr/local/bin/ig]
          args:
            {{- /* A file: arguments and variables are read by whoever sees the pod. */}}
            {{- $token := list "--token-file" "/etc/ig/probe/token" }}
            {{- $as := ternary $token (list "--expect-code" "UNAUTHENTICATED") (not (empty $of.tokenSecretName)) }}
            {{- $ca := ternary (list "--ca" "/etc/ig/probe-ca/ca.crt") (list) (not (empty $of.ca.secretName)) }}
            {{- toYaml (concat (list "envoy" "probe" (include "ig-guard.probeUrl" .root) "--wait" (printf "%ds" (int $of.waitSeconds)) "--hold" (printf "%ds" (int $of.holdSeconds))) $as $ca $of.extraArgs) | nindent 12 }}
          securityContext:
            {{- include "ig-guard.containerSecurity" . | nindent 12 }}
          resources:
            {{- toYaml $of.resources | nindent 12 }}
          {{- if or $of.tokenSecretName $of.ca.secretName }}
          volumeMounts:
            {{- if $of.tokenSecretName }}
            - {name: token, mountPath: /etc/ig/probe, readOnly: true}
            {{- end }}
            {{- if $of.ca.secretName }}
            - {name: ca, mountPath: /etc/ig/probe-ca, readOnly: true}
            {{- end }}
      volumes:
        {{- if $of.ca.secretName }}
        - name: ca
          secret:
            secretName: {{ $of.ca.secretName | quote }}
            defaultMode: 0440
            items:
              - {key: {{ $of.ca.key | quote }}, path: ca.crt}
        {{- end }}
        {{- if $of.tokenSecretName }}
        - name: token
          secret:
            secretName: {{ $of.tokenSecretName | quote }}
            defaultMode: 0440
            items:
              - {key: {{ $of.tokenSecretKey | quote }}, path: token}
        {{- end }}
          {{- end }}
{{- end -}}
