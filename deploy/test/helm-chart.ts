import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, beforeEach, expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { findHelm } from '@temporal-kms/scripts/helm';
import { withLock } from '@temporal-kms/scripts/lock';
import { pipInstall } from '@temporal-kms/scripts/pip';
import { toolsDir, projectRoot } from '@temporal-kms/scripts/project';

export const chart = join(projectRoot, 'deploy/helm/temporal-kms');
export const schemas = join(toolsDir, 'kubernetes-validate-1.37.0');
/** The oldest Kubernetes version that Chart.yaml allows, and the newest version that has schemas. */
export const versions = ['1.30.0', '1.37.0'];
export const apps = ['codec-server', 'worker', 'dashboard'];
export const policy = 'issuers: {}\n\nrules: []\n...\n';

export const everything = {
  env: { TEMPORAL_ADDRESS: 'temporal:7233' },
  envFrom: [{ secretRef: { name: 'temporal-api-key' } }],
  keys: 'namespaces: {}\n...\n',
  storage: 'namespaces: {}\n...\n',
  image: { digests: { worker: `sha256:${'0'.repeat(64)}` }, pullSecrets: [{ name: 'registry' }] },
  codecServer: {
    policy,
    extraVolumes: [{ name: 'temporal-tls', secret: { secretName: 'temporal-tls', defaultMode: 0o400 } }],
    extraVolumeMounts: [{ name: 'temporal-tls', mountPath: '/etc/temporal', readOnly: true }],
    corsOrigins: ['https://temporal.example.com'],
    tracesEndpoint: 'http://collector.observability:4318',
    serviceAccount: {
      annotations: { 'iam.gke.io/gcp-service-account': 'codec@acme.iam.gserviceaccount.com' },
    },
    autoscaling: { enabled: true },
    nodeSelector: { pool: 'codec' },
    tolerations: [{ operator: 'Exists' }],
  },
  worker: {
    autoscaling: { enabled: true },
    extraVolumes: [{ name: 'cache', emptyDir: {} }],
    extraVolumeMounts: [{ name: 'cache', mountPath: '/var/cache' }],
  },
  scan: {
    enabled: true,
    claim: 'scan',
    args: ['--rps', '20'],
    extraVolumes: [{ name: 'temporal-tls', secret: { secretName: 'temporal-tls' } }],
    extraVolumeMounts: [{ name: 'temporal-tls', mountPath: '/etc/temporal', readOnly: true }],
  },
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
  dashboard: { autoscaling: { enabled: true }, connectSources: ['https://login.example.com'] },
  ingress: { enabled: true, className: 'nginx', host: 'codec.example.com', tlsSecret: 'codec-tls' },
  networkPolicy: { clients: [{ namespaceSelector: {} }], egress: [{ ports: [{ port: 3128 }] }] },
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
};

let helm: string | undefined;

beforeAll(async () => {
  helm = await findHelm();
  if (helm === undefined) return;
  await withLock(`${schemas}.lock`, async () => {
    if (existsSync(schemas)) return;
    const unfinished = `${schemas}.${process.pid}`;
    await pipInstall(join(projectRoot, 'deploy/kubernetes-validate.txt'), unfinished);
    await rename(unfinished, schemas);
  });
}, 900_000);

beforeEach(({ skip }) => skip(helm === undefined, 'Helm could not be built'));

export const run = (command: readonly string[], values: object) =>
  execa(helm ?? '', [...command, chart, '--kube-version', versions[0] ?? '', '--values', '-'], {
    input: JSON.stringify(values),
    reject: false,
  });

const rendered = new Map<string, Promise<any[]>>();

/** Renders the chart only once for each set of values, so tests must not change the resources. */
export function render(values: object): Promise<any[]> {
  const key = JSON.stringify(values);
  const resources = rendered.get(key) ?? renderOnce(values);
  rendered.set(key, resources);
  return resources;
}

async function renderOnce(values: object): Promise<any[]> {
  const { stdout, stderr, exitCode } = await run(['template', 'tk', '--namespace', 'codec'], values);
  expect([exitCode, stderr]).toEqual([0, '']);
  return parseAllDocuments(stdout)
    .map((document) => document.toJSON())
    .filter((resource) => resource !== null);
}

export const named = (resources: any[], kind: string, name: string) =>
  resources.find((resource) => resource.kind === kind && resource.metadata.name === `tk-${name}`);

/** Returns the variables of an application's container. */
export const variables = (resources: any[], app: string): Record<string, string> =>
  Object.fromEntries(
    named(resources, 'Deployment', app).spec.template.spec.containers[0].env.map(
      ({ name, value }: { name: string; value: string }) => [name, value],
    ),
  );
