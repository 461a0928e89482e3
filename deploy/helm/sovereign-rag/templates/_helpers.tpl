{{- define "rag.name" -}}
{{- $whole := printf "%s-%s" .Release.Name .Chart.Name -}}
{{- if contains .Chart.Name .Release.Name }}{{ $whole = .Release.Name }}{{ end -}}
{{- /* A pod's name names its audit record, which has room for 32 characters. */ -}}
{{- trunc 20 $whole | trimSuffix "-" -}}
{{- end -}}

{{- define "rag.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The pods of one kind: (dict "root" . "part" "service"). */}}
{{- define "rag.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "rag.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ $tag }}
{{- end -}}
{{- end -}}

{{/* Pods that have their own folders share originals and texts by the object storage alone. */}}
{{- define "rag.checked" -}}
{{- if not .Values.store.urls }}{{ fail "store.urls: name the Qdrant server, or the nodes of the cluster" }}{{ end -}}
{{- if not .Values.catalog.urlSecret.name }}{{ fail "catalog.urlSecret.name: name the secret with the URL of PostgreSQL" }}{{ end -}}
{{- $many := or (gt (int .Values.service.replicas) 1) (gt (int .Values.worker.replicas) 1) .Values.worker.autoscaling.enabled -}}
{{- if and $many (not .Values.content.url) }}{{ fail "content.url: with several pods of a kind originals and texts lie in an object storage" }}{{ end -}}
{{- if and .Values.content.url (or (not .Values.content.endpoint) (not .Values.content.accessSecret.name)) }}{{ fail "content.url needs content.endpoint and content.accessSecret.name" }}{{ end -}}
{{- if and .Values.ingress.enabled (not .Values.hosts) }}{{ fail "ingress.enabled needs hosts" }}{{ end -}}
{{- end -}}

{{/* What both kinds of pods are told, by variables; secrets by reference alone. */}}
{{- define "rag.environment" -}}
- {name: SOVEREIGN_RAG_CONFIG, value: /etc/sovereign-rag/sovereign-rag.toml}
- {name: SOVEREIGN_RAG_DATA_DIR, value: /data}
- {name: SOVEREIGN_RAG_MODELS_DIR, value: /data/models}
- name: SOVEREIGN_RAG_STORE__URL
  value: {{ join "," .Values.store.urls | quote }}
- name: SOVEREIGN_RAG_STORE__REPLICATION_FACTOR
  value: {{ .Values.store.replicationFactor | quote }}
{{- with .Values.store.apiKeySecret }}{{ if .name }}
- name: SOVEREIGN_RAG_STORE__API_KEY
  valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}
{{- end }}{{ end }}
- name: SOVEREIGN_RAG_CATALOG__URL
  valueFrom: {secretKeyRef: {name: {{ .Values.catalog.urlSecret.name }}, key: {{ .Values.catalog.urlSecret.key }}}}
{{- if .Values.content.url }}
- name: SOVEREIGN_RAG_CONTENT__URL
  value: {{ .Values.content.url | quote }}
- name: SOVEREIGN_RAG_CONTENT__ENDPOINT
  value: {{ .Values.content.endpoint | quote }}
- {name: SOVEREIGN_RAG_CONTENT__ACCESS_KEY_FILE, value: /secrets/content/access}
- {name: SOVEREIGN_RAG_CONTENT__SECRET_KEY_FILE, value: /secrets/content/secret}
{{- end }}
{{- with .Values.redis.urlSecret }}{{ if .name }}
- name: SOVEREIGN_RAG_LIMITS__REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}
{{- end }}{{ end }}
- name: SOVEREIGN_RAG_PARSE__SANDBOX
  value: {{ .Values.sandbox | quote }}
- {name: SOVEREIGN_RAG_LOG_LEVEL, value: info}
- {name: SOVEREIGN_RAG_SIGHT__LOG_FORMAT, value: json}
- {name: SOVEREIGN_RAG_SIGHT__METRICS_HOST, value: 0.0.0.0}
- name: SOVEREIGN_RAG_SIGHT__METRICS_PORT
  value: {{ .Values.metrics.port | quote }}
{{- if .Values.content.url }}
# Of each pod its own folder, and so its own audit record, under the pod's name.
- name: SOVEREIGN_RAG_AUDIT__WRITER
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "rag.mounts" -}}
- {name: data, mountPath: /data}
- {name: scratch, mountPath: /tmp}
- {name: config, mountPath: /etc/sovereign-rag, readOnly: true}
{{- if .Values.models.existingClaim }}
- {name: models, mountPath: /models, readOnly: true}
{{- end }}
{{- if .Values.content.url }}
- {name: content, mountPath: /secrets/content, readOnly: true}
{{- end }}
{{- range .Values.secretMounts }}
- {name: secret-{{ . }}, mountPath: /secrets/{{ . }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "rag.volumes" -}}
- name: scratch
  emptyDir: {sizeLimit: 4Gi}
- name: config
  configMap: {name: {{ include "rag.name" . }}}
{{- if .Values.models.existingClaim }}
- name: models
  persistentVolumeClaim: {claimName: {{ .Values.models.existingClaim }}, readOnly: true}
{{- end }}
{{- if .Values.content.url }}
- name: content
  secret:
    secretName: {{ .Values.content.accessSecret.name }}
    defaultMode: 0440
    items:
      - {key: {{ .Values.content.accessSecret.accessKey }}, path: access}
      - {key: {{ .Values.content.accessSecret.secretKey }}, path: secret}
{{- end }}
{{- range .Values.secretMounts }}
- name: secret-{{ . }}
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- if not .Values.content.url }}
- name: data
  persistentVolumeClaim: {claimName: {{ .Values.data.existingClaim | default (printf "%s-data" (include "rag.name" .)) }}}
{{- end }}
{{- end -}}

{{- define "rag.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "rag.containerSecurity" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
privileged: false
capabilities: {drop: [ALL]}
{{- end -}}

{{/* One kind of pods: (dict "root" . "part" "service" "spec" .Values.service). */}}
{{- define "rag.pods" -}}
{{- $root := .root -}}
{{- $part := .part -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "rag.name" $root }}-{{ $part }}
  labels:
    {{- include "rag.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $part }}
spec:
  {{- if not (and (eq $part "worker") $root.Values.worker.autoscaling.enabled) }}
  replicas: {{ .spec.replicas }}
  {{- end }}
  serviceName: {{ include "rag.name" $root }}-{{ $part }}
  podManagementPolicy: Parallel
  selector:
    matchLabels:
      {{- include "rag.selector" (dict "root" $root "part" $part) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "rag.selector" (dict "root" $root "part" $part) | nindent 8 }}
      annotations:
        checksum/config: {{ include (print $root.Template.BasePath "/config.yaml") $root | sha256sum }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 60
      {{- with $root.Values.runtimeClassName }}
      runtimeClassName: {{ . }}
      {{- end }}
      securityContext:
        {{- include "rag.podSecurity" $root | nindent 8 }}
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      {{- with $root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if $root.Values.topologySpread }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "rag.selector" (dict "root" $root "part" $part) | nindent 14 }}
      {{- end }}
      containers:
        - name: {{ $part }}
          image: {{ include "rag.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ if eq $part "service" }}serve{{ else }}worker{{ end }}]
          securityContext:
            {{- include "rag.containerSecurity" $root | nindent 12 }}
          env:
            {{- include "rag.environment" $root | nindent 12 }}
            {{- if eq $part "service" }}
            {{- include "rag.serviceEnvironment" $root | nindent 12 }}
            {{- end }}
          ports:
            {{- if eq $part "service" }}
            - {name: http, containerPort: 8080}
            {{- end }}
            - {name: metrics, containerPort: {{ $root.Values.metrics.port }}}
          {{- if eq $part "service" }}
          startupProbe:
            httpGet: {path: /healthz, port: http}
            timeoutSeconds: 5
            {{- toYaml $root.Values.probes.startup | nindent 12 }}
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            timeoutSeconds: 10
            {{- toYaml $root.Values.probes.ready | nindent 12 }}
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            timeoutSeconds: 5
            {{- toYaml $root.Values.probes.live | nindent 12 }}
          {{- else }}
          # Nobody calls a worker. Its metrics listen once it works; what they hold waits for the
          # catalog, whose absence is no reason to begin anew, so they are not asked for.
          startupProbe:
            tcpSocket: {port: metrics}
            {{- toYaml $root.Values.probes.startup | nindent 12 }}
          readinessProbe:
            tcpSocket: {port: metrics}
            {{- toYaml $root.Values.probes.ready | nindent 12 }}
          livenessProbe:
            tcpSocket: {port: metrics}
            {{- toYaml $root.Values.probes.live | nindent 12 }}
          {{- end }}
          resources:
            {{- toYaml .spec.resources | nindent 12 }}
          volumeMounts:
            {{- include "rag.mounts" $root | nindent 12 }}
      volumes:
        {{- include "rag.volumes" $root | nindent 8 }}
  {{- if $root.Values.content.url }}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $root.Values.data.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ $root.Values.data.size }}}}
  {{- end }}
{{- end -}}

{{- define "rag.serviceEnvironment" -}}
- {name: SOVEREIGN_RAG_SERVER__HOST, value: 0.0.0.0}
- {name: SOVEREIGN_RAG_SERVER__PORT, value: "8080"}
- name: SOVEREIGN_RAG_SERVER__ALLOWED_HOSTS
  value: {{ concat (list "127.0.0.1" "localhost" (include "rag.name" .)) .Values.hosts | uniq | toJson | quote }}
- name: SOVEREIGN_RAG_SERVER__SECURE_COOKIES
  value: {{ hasPrefix "https://" .Values.publicUrl | quote }}
{{- with .Values.publicUrl }}
- name: SOVEREIGN_RAG_SERVER__PUBLIC_URL
  value: {{ . | quote }}
{{- end }}
- {name: SOVEREIGN_RAG_INGEST__WORKER_IN_SERVER, value: "false"}
{{- with .Values.models.generation }}
- name: SOVEREIGN_RAG_GENERATION__MODEL
  value: /models/{{ . }}
{{- end }}
{{- end -}}
