{{/* The name of the objects: the release, and the chart where the release does not say it. */}}
{{- define "statuspage-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The labels that never change: a Deployment cannot select by others later. */}}
{{- define "statuspage-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The labels of every object. */}}
{{- define "statuspage-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "statuspage-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "statuspage-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "statuspage-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "statuspage-operator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/*
The kinds of declarations, by the names that roles use. A test compares them
with the definitions in files/crds.
*/}}
{{- define "statuspage-operator.resources" -}}
- componentgroups
- components
- incidents
- incidenttemplates
- metrics
- metricsproviders
- organizationusers
- pageaccessgroups
- pageaccessusers
- statuspages
- subscribers
{{- end -}}

{{/* The same with a subresource, which is the second of the two arguments. */}}
{{- define "statuspage-operator.subresources" -}}
{{- $context := index . 0 -}}
{{- $subresource := index . 1 -}}
{{- range $index, $resource := include "statuspage-operator.resources" $context | fromYamlArray }}
{{- if $index }}{{ "\n" }}{{ end -}}
- {{ $resource }}/{{ $subresource }}
{{- end }}
{{- end -}}

{{/*
What the operator may do where declarations are. It creates no declaration and
deletes none, except Incidents that say when they may be pruned
(ttlAfterResolved).
*/}}
{{- define "statuspage-operator.rules" -}}
# Read declarations; write their finalizers and the annotation that holds the
# remote id.
- apiGroups: [statuspage-operator.io]
  resources: {{- include "statuspage-operator.resources" . | nindent 4 }}
  verbs: [get, list, watch, patch, update]
- apiGroups: [statuspage-operator.io]
  resources: {{- include "statuspage-operator.subresources" (list . "status") | nindent 4 }}
  verbs: [get, patch, update]
- apiGroups: [statuspage-operator.io]
  resources: {{- include "statuspage-operator.subresources" (list . "finalizers") | nindent 4 }}
  verbs: [update]
# Prune resolved Incidents whose ttlAfterResolved is over.
- apiGroups: [statuspage-operator.io]
  resources: [incidents]
  verbs: [delete]
# Read the tokens that declarations name, and notice when one is replaced. The
# operator asks for them by name, so that secrets.names can be exact.
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.secrets.names }}
  resourceNames: {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [get, list, watch]
# Say what was done, at the declaration.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* Who the roles are bound to. */}}
{{- define "statuspage-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "statuspage-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/*
Where the event log keeps what is not to be lost with the container: its file, or
with PostgreSQL the events that are not stored yet.
*/}}
{{- define "statuspage-operator.volumes" -}}
{{- if .Values.events.persistence.enabled }}
- name: events
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-events" (include "statuspage-operator.fullname" .)) .Values.events.persistence.existingClaim }}
{{- else if .Values.events.urlSecret.name }}
- name: events
  emptyDir:
    sizeLimit: 1Gi
{{- end }}
{{- with .Values.httpApi.tlsSecret }}
- name: tls
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.httpApi.gatewaySecret }}
- name: gateway
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.httpApi.accessKeysSecret }}
- name: access-keys
  secret:
    secretName: {{ . }}
    # Made by the first `statuspage access-key create --secret`.
    optional: true
{{- end }}
{{- end -}}

{{- define "statuspage-operator.volumeMounts" -}}
{{- if or .Values.events.persistence.enabled .Values.events.urlSecret.name }}
- name: events
  mountPath: /var/lib/statuspage
{{- end }}
{{- if .Values.httpApi.tlsSecret }}
- name: tls
  mountPath: /etc/statuspage/tls
  readOnly: true
{{- end }}
{{- if .Values.httpApi.gatewaySecret }}
- name: gateway
  mountPath: /etc/statuspage/gateway
  readOnly: true
{{- end }}
{{- if .Values.httpApi.accessKeysSecret }}
# A directory, not a file of it: the kubelet replaces the files of directories only.
- name: access-keys
  mountPath: /etc/statuspage/access-keys
  readOnly: true
{{- end }}
{{- end -}}
