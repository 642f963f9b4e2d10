import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '@temporal-kms/scripts/project';
import { apps, everything, named, policy, render, run, schemas, variables, versions } from './helm-chart.ts';

describe('the Helm chart', () => {
  it('passes helm lint', async () => {
    const { stdout, exitCode } = await run(['lint', '--strict'], everything);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('0 chart(s) failed')]);
  });

  it.for(versions)(
    'renders resources that Kubernetes %s accepts, without unknown fields',
    async (version) => {
      const folder = join(schemas, 'kubernetes_validate/kubernetes-json-schema', `v${version}-local-strict`);
      const ajv = new Ajv2020({ strict: false, validateFormats: false });
      // The resources' schemas refer to the definitions by this id.
      const definitions = JSON.parse(await readFile(join(folder, '_definitions.json'), 'utf8'));
      ajv.addSchema({ ...definitions, $id: '/api/_definitions.json' });
      const resources = await render(everything);
      const kinds = new Set(resources.map(({ kind }) => kind));
      expect(kinds.size).toBe(11);
      for (const resource of resources.filter(({ apiVersion }) => !apiVersion.startsWith('monitoring.'))) {
        const api = resource.apiVersion.replace('.k8s.io', '').replace('/', '-');
        const file = join(folder, `${resource.kind.toLowerCase()}-${api}.json`);
        const { $id: _, ...schema } = JSON.parse(await readFile(file, 'utf8'));
        const validate = ajv.compile(schema);
        expect([resource.kind, validate(resource), validate.errors]).toEqual([resource.kind, true, null]);
      }
    },
  );

  it('starts each application without privileges and without a Kubernetes token', async () => {
    const resources = await render(everything);
    for (const app of apps) {
      const { spec } = named(resources, 'Deployment', app).spec.template;
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        serviceAccountName: `tk-${app}`,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      const [container] = spec.containers;
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container.resources.limits.memory).toBeDefined();
      for (const kind of ['PodDisruptionBudget', 'HorizontalPodAutoscaler', 'NetworkPolicy', 'Service'])
        expect(named(resources, kind, app), `${kind} of ${app}`).toBeDefined();
    }
  });

  it('sets only variables that the applications read, and passes the files on unchanged', async () => {
    const resources = await render(everything);
    const files = ['docs/configuration.md', 'deploy/docker/Caddyfile'];
    const texts = await Promise.all(files.map((file) => readFile(join(projectRoot, file), 'utf8')));
    for (const app of apps) {
      const { env } = named(resources, 'Deployment', app).spec.template.spec.containers[0];
      for (const { name } of env) expect(texts.join('\n'), `${app}: ${name}`).toContain(name);
    }
    expect(named(resources, 'ConfigMap', 'codec-server').data).toEqual({
      'policy.yaml': policy,
      'storage.yaml': everything.storage,
      'keys.yaml': everything.keys,
    });
  });

  it('writes numbers and booleans in the form that the programs read', async () => {
    const env = { CODEC_MAX_INFLIGHT_BYTES: 268_435_456, AUDIT_FSYNC: true, CODEC_REQUEST_SECONDS: 0.5 };
    const resources = await render({
      codecServer: { policy, env },
      worker: { shutdownGraceSeconds: 1_000_000, terminationGracePeriodSeconds: 1_000_016 },
    });
    expect(variables(resources, 'codec-server')).toMatchObject({
      CODEC_MAX_INFLIGHT_BYTES: '268435456',
      AUDIT_FSYNC: 'true',
      CODEC_REQUEST_SECONDS: '0.5',
    });
    expect(variables(resources, 'worker')).toMatchObject({ WORKER_SHUTDOWN_GRACE_SECONDS: '1000000' });
  });

  it('lets an application’s env override the common env, and the common env override the chart’s settings', async () => {
    const resources = await render({
      env: { AUTH: 'none', KMS_KEYS_FILE: '/keys.yaml', LOG_LEVEL: 'debug', TEMPORAL_TLS: true },
      keys: everything.keys,
      codecServer: { policy, env: { LOG_LEVEL: '', TEMPORAL_TLS: false, CODEC_PORT: 9000 } },
    });
    expect(variables(resources, 'codec-server')).toMatchObject({
      AUTH: 'none',
      KMS_KEYS_FILE: '/keys.yaml',
      LOG_LEVEL: '',
      TEMPORAL_TLS: 'false',
      CODEC_PORT: '9000',
      CODEC_HOST: '0.0.0.0',
    });
    expect(variables(resources, 'worker')).toMatchObject({ LOG_LEVEL: 'debug', TEMPORAL_TLS: 'true' });
    expect(variables(resources, 'dashboard')).not.toHaveProperty('LOG_LEVEL');
  });

  it('runs an image with your own workflows', async () => {
    const image = 'europe-docker.pkg.dev/acme/payments-worker:1.4.0';
    const resources = await render({ ...everything, worker: { ...everything.worker, image } });
    const imageOf = (app: string) =>
      named(resources, 'Deployment', app).spec.template.spec.containers[0].image;
    expect(imageOf('worker')).toBe(image);
    expect(imageOf('codec-server')).toMatch(/\/codec-server:/);
  });

  const collector = { WORKER_OTLP_ENDPOINT: 'http://collector:4317' };
  it.for([{ env: collector }, { worker: { env: collector } }])(
    'opens no metrics port for a worker that sends metrics to a collector: %j',
    async (values) => {
      const scraped = { codecServer: { policy }, serviceMonitor: { enabled: true } };
      const usual = await render(scraped);
      expect(variables(usual, 'worker')).toHaveProperty('WORKER_METRICS_PORT', '9465');
      expect(named(usual, 'ServiceMonitor', 'worker')).toBeDefined();
      const resources = await render({ ...scraped, ...values });
      expect(variables(resources, 'worker')).toMatchObject(collector);
      expect(variables(resources, 'worker')).not.toHaveProperty('WORKER_METRICS_PORT');
      expect(named(resources, 'ServiceMonitor', 'worker')).toBeUndefined();
      for (const kind of ['Deployment', 'Service', 'NetworkPolicy'])
        expect(JSON.stringify(named(resources, kind, 'worker')), kind).not.toContain('"metrics"');
      expect(named(resources, 'ServiceMonitor', 'codec-server')).toBeDefined();
    },
  );

  it('lets only the listed clients and the dashboard connect to the codec server', async () => {
    const clients = [
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } },
    ];
    const labels = { 'app.kubernetes.io/name': 'dashboard', 'app.kubernetes.io/instance': 'tk' };
    const dashboard = { podSelector: { matchLabels: labels } };
    const admitted = async (values: object, app: string) => {
      const resources = await render({ codecServer: { policy }, networkPolicy: { clients }, ...values });
      return named(resources, 'NetworkPolicy', app).spec.ingress[0].from;
    };
    expect(await admitted({}, 'codec-server')).toEqual([...clients, dashboard]);
    expect(await admitted({}, 'dashboard')).toEqual(clients);
    expect(await admitted({ dashboard: { enabled: false } }, 'codec-server')).toEqual(clients);
    expect(await admitted({ networkPolicy: {} }, 'dashboard')).toEqual([{ podSelector: {} }]);
  });

  it('lets the codec server serve the dashboard, instead of a separate Deployment', async () => {
    const resources = await render({
      ...everything,
      codecServer: { ...everything.codecServer, dashboard: true },
      dashboard: {
        temporalUiUrl: 'https://temporal.example.com',
        connectSources: ['https://token.example.com', 'https://login.example.com'],
      },
    });
    expect(resources.filter(({ metadata }) => metadata.name === 'tk-dashboard')).toEqual([]);
    expect(variables(resources, 'codec-server')).toMatchObject({
      CODEC_DASHBOARD_DIR: '/srv/dashboard',
      CODEC_DASHBOARD_TEMPORAL_UI_URL: 'https://temporal.example.com',
      CODEC_DASHBOARD_CONNECT_SOURCES: 'https://token.example.com,https://login.example.com',
    });
    const [rule] = named(resources, 'Ingress', 'ingress').spec.rules;
    expect(rule.http.paths.map(({ path, backend }: any) => [path, backend.service.name])).toContainEqual([
      '/',
      'tk-codec-server',
    ]);
    expect(JSON.stringify(named(resources, 'NetworkPolicy', 'codec-server'))).not.toContain('"dashboard"');
    const image = await readFile(join(projectRoot, 'deploy/docker/Dockerfile'), 'utf8');
    expect(image).toMatch(/AS codec-server\nCOPY[^]*?decrypt-ui\/dist\/ \/srv\/dashboard\/[^]*?AS worker/);
    const without = await render(everything);
    expect(variables(without, 'codec-server')).not.toHaveProperty('CODEC_DASHBOARD_DIR');
  });

  it('renders the example of docs/deploy.md', async () => {
    const docs = await readFile(join(projectRoot, 'docs/deploy.md'), 'utf8');
    const [, example = ''] = /```yaml title="values.yaml"\n(.*?)```/s.exec(docs) ?? [];
    const values = parse(example);
    const resources = await render({ ...values, codecServer: { ...values.codecServer, policy } });
    const ingress = named(resources, 'Ingress', 'ingress').spec;
    expect(ingress.rules[0].host).toBe('codec.example.com');
    // The ingress controller is in another namespace, and must reach each application that the ingress names.
    for (const app of ['codec-server', 'dashboard'])
      expect(named(resources, 'NetworkPolicy', app).spec.ingress[0].from).toContainEqual({
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } },
      });
  });

  it.for(apps)('contains no trace of %s if that application is disabled', async (app) => {
    const key = app === 'codec-server' ? 'codecServer' : app;
    const values = { ...everything, [key]: { enabled: false }, scan: {} };
    const resources = await render(values);
    expect(resources.filter(({ metadata }) => metadata.name === `tk-${app}`)).toEqual([]);
    const ingress = JSON.stringify(named(resources, 'Ingress', 'ingress').spec);
    expect(ingress).not.toContain(`tk-${app}`);
  });
});
