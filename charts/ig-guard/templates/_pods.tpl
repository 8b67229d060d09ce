{{/* What the restricted pod security standard asks for, and a file system that nobody writes to. */}}
{{- define "ig-guard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "ig-guard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where a component's pods run: root, name, and its values in `of`. */}}
{{- define "ig-guard.placement" -}}
{{- with .of.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
topologySpreadConstraints:
{{- if .of.topologySpreadConstraints }}
  {{- toYaml .of.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ig-guard.selector" $ | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Metadata of a component's pods: also `checksum`, of what they have to be started anew for. */}}
{{- define "ig-guard.podMetadata" -}}
labels:
  {{- include "ig-guard.labels" . | nindent 2 }}
  {{- with .of.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ .checksum | sha256sum }}
  {{- with .of.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* A horizontal autoscaler of a Deployment: root, name, of. */}}
{{- define "ig-guard.autoscaler" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "ig-guard.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "ig-guard.name" . }}
  minReplicas: {{ .of.autoscaling.minReplicas }}
  maxReplicas: {{ .of.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .of.autoscaling.targetCPUUtilizationPercentage }}
{{- end -}}

{{/* A disruption budget; none where there is one pod, which could never be moved. */}}
{{- define "ig-guard.disruptionBudget" -}}
{{- if gt (int (ternary .of.autoscaling.minReplicas .of.replicas .of.autoscaling.enabled)) 1 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "ig-guard.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .of.pdb.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "ig-guard.selector" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* A service account that no token of is mounted. */}}
{{- define "ig-guard.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "ig-guard.metadata" (merge (dict "annotations" .of.serviceAccount.annotations) .) | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{/* To the cluster's names service. */}}
{{- define "ig-guard.egressToNames" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}
