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

{{/* Where the objects of the release are. */}}
{{- define "statuspage-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* The labels that never change: a Deployment cannot select by others later. */}}
{{- define "statuspage-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The labels of every object. Those of the chart win: Helm and the Deployment know objects by them. */}}
{{- define "statuspage-operator.labels" -}}
{{- with .Values.commonLabels }}
{{- omit . "helm.sh/chart" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" | toYaml }}
{{ end -}}
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
What the operator may do where declarations are, and nothing that it never does: a
test compares this with the audit log of an API server. It creates no declaration
and deletes none, except Incidents that say when they may be pruned
(ttlAfterResolved).
*/}}
{{- define "statuspage-operator.rules" -}}
# Read declarations; write their finalizers and the annotation that holds the
# remote id.
- apiGroups: [statuspage-operator.io]
  resources: {{- include "statuspage-operator.resources" . | nindent 4 }}
  verbs: [get, list, watch, patch]
# Replace the status as a whole, so that a field that is gone vanishes.
- apiGroups: [statuspage-operator.io]
  resources: {{- include "statuspage-operator.subresources" (list . "status") | nindent 4 }}
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
  verbs: [list, watch]
# Say what was done, at the declaration.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/*
Whether the labels of namespaces are read: "true" or "". They are of the cluster, so
that an operator of some namespaces reads them only if that is wanted.
*/}}
{{- define "statuspage-operator.readsNamespaces" -}}
{{- if kindIs "invalid" .Values.rbac.readNamespaces -}}
{{- if or (not .Values.watchNamespaces) .Values.events.purgeWithNamespace }}true{{ end -}}
{{- else if .Values.rbac.readNamespaces -}}
true
{{- end -}}
{{- end -}}

{{/* Whether callers of the HTTP API are looked up in the cluster: "true" or "". */}}
{{- define "statuspage-operator.reviews" -}}
{{- if kindIs "invalid" .Values.httpApi.clusterTokens -}}
{{- if .Values.httpApi.service.enabled }}true{{ end -}}
{{- else if .Values.httpApi.clusterTokens -}}
true
{{- end -}}
{{- end -}}

{{/* Who the roles are bound to. */}}
{{- define "statuspage-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "statuspage-operator.serviceAccountName" . }}
  namespace: {{ include "statuspage-operator.namespace" . }}
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
{{- with .Values.privateCA }}
{{- if and .configMap .secret }}
{{- fail "privateCA: give either configMap or secret" }}
{{- end }}
{{- if .configMap }}
- name: private-ca
  configMap:
    name: {{ .configMap }}
    {{- with .key }}
    items: [{key: {{ . | quote }}, path: ca.crt}]
    {{- end }}
{{- else if .secret }}
- name: private-ca
  secret:
    secretName: {{ .secret }}
    {{- with .key }}
    items: [{key: {{ . | quote }}, path: ca.crt}]
    {{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
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
{{- if or .Values.privateCA.configMap .Values.privateCA.secret }}
- name: private-ca
  mountPath: /etc/statuspage/ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
The security context of the Pods. OpenShift gives each namespace users of its own and
refuses others, so that none is named there.
*/}}
{{- define "statuspage-operator.podSecurityContext" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- omit .Values.podSecurityContext "runAsUser" "runAsGroup" "fsGroup" | toYaml }}
{{- else -}}
{{- toYaml .Values.podSecurityContext }}
{{- end -}}
{{- end -}}

{{/* Proxies and CAs, as environment variables. */}}
{{- define "statuspage-operator.networkEnv" -}}
{{- with .Values.proxy.https }}
- name: HTTPS_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.proxy.http }}
- name: HTTP_PROXY
  value: {{ . | quote }}
{{- end }}
{{- if or .Values.proxy.https .Values.proxy.http }}
# The API server is asked directly.
- name: NO_PROXY
  value: {{ join "," (concat (list "$(KUBERNETES_SERVICE_HOST)" "kubernetes.default.svc") .Values.proxy.noProxy) | quote }}
{{- end }}
{{- if or .Values.privateCA.configMap .Values.privateCA.secret }}
# Beside the CAs of the image, not in their place.
- name: SSL_CERT_DIR
  value: /etc/ssl/certs:/etc/statuspage/ca
{{- end }}
{{- end -}}

{{/* The end of an endpoint of a ServiceMonitor or a PodMonitor: how /metrics is scraped. */}}
{{- define "statuspage-operator.endpoint" -}}
path: /metrics
# The namespace and the page of a metric are those of the StatusPage, not of the Pod.
honorLabels: true
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A CEL expression: the caller is one of these users, or in one of these groups. */}}
{{- define "statuspage-operator.isOneOf" -}}
{{- $groups := list }}{{ range .groups }}{{ $groups = append $groups (. | squote) }}{{ end -}}
{{- $users := list }}{{ range .users }}{{ $users = append $users (. | squote) }}{{ end -}}
request.userInfo.username in [{{ join ", " $users }}] || request.userInfo.groups.exists(group, group in [{{ join ", " $groups }}])
{{- end -}}
