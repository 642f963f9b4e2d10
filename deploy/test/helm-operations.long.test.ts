import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '@temporal-kms/scripts/project';
import { WITHIN_256_MIB } from '@temporal-kms/scripts/small-memory';
import { apps, chart, everything, named, policy, render, run, variables } from './helm-chart.ts';

const read = (file: string) => readFile(join(projectRoot, file), 'utf8');
const podOf = (resources: any[], app: string) => named(resources, 'Deployment', app).spec.template.spec;
const scanPod = (resources: any[]) => named(resources, 'CronJob', 'scan').spec.jobTemplate.spec.template.spec;

it('the chart lets servers accept connections until clients have learned that the pod is terminating', async () => {
  const resources = await render({
    codecServer: { policy, terminationGracePeriodSeconds: 25, preStopSleepSeconds: 10 },
  });
  const sleepOf = (app: string) => podOf(resources, app).containers[0].lifecycle?.preStop.sleep.seconds;
  expect(apps.map(sleepOf)).toEqual([10, undefined, 5]);
  expect(podOf(resources, 'codec-server').terminationGracePeriodSeconds).toBe(25);
  const without = await render({ codecServer: { policy, preStopSleepSeconds: 0 } });
  expect(podOf(without, 'codec-server').containers[0]).not.toHaveProperty('lifecycle');
});

it('the chart mounts additional volumes', async () => {
  const resources = await render(everything);
  for (const [pod, volume] of [
    [podOf(resources, 'codec-server'), 'temporal-tls'],
    [podOf(resources, 'worker'), 'cache'],
    [scanPod(resources), 'temporal-tls'],
  ]) {
    expect(pod.volumes.map(({ name }: any) => name)).toEqual(expect.arrayContaining(['files', volume]));
    expect(pod.containers[0].volumeMounts.map(({ name }: any) => name)).toEqual(
      pod.volumes.map(({ name }: any) => name),
    );
  }
});

it('the chart mounts files in a form that the programs trust', async () => {
  const resources = await render(everything);
  for (const pod of [...apps.slice(0, 2).map((app) => podOf(resources, app)), scanPod(resources)]) {
    // With any other `fsGroupChangePolicy`, each mount would make the report and the scan state
    // group-writable.
    expect(pod.securityContext).toMatchObject({ fsGroup: 65_532, fsGroupChangePolicy: 'OnRootMismatch' });
    const mounts = pod.containers[0].volumeMounts;
    for (const { name, configMap, secret } of pod.volumes) {
      if (configMap === undefined && secret === undefined) continue;
      expect(mounts.find((mount: any) => mount.name === name).readOnly).toBe(true);
      const mode = (configMap ?? secret).defaultMode ?? 0o644;
      // With fsGroup, kubelet lets the group read the file.
      const file = await volumeFile('policy.yaml', mode | 0o440);
      const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', reading, file], {
        cwd: projectRoot,
      });
      expect(stdout).toBe('content');
    }
  }
});

const reading = `
  import { readTrustedFile } from './packages/node-utils/src/trusted-files.ts';
  process.stdout.write(readTrustedFile(process.argv[1], 100));`;

/** Writes a file like kubelet's AtomicWriter, and returns the file's path. */
async function volumeFile(name: string, mode: number): Promise<string> {
  const volume = await mkdtemp(join(tmpdir(), 'temporal-kms-volume-'));
  onTestFinished(() => rm(volume, { recursive: true }));
  await mkdir(join(volume, '..2026'), { mode: 0o755 });
  await writeFile(join(volume, '..2026', name), 'content');
  await chmod(join(volume, '..2026', name), mode);
  await symlink('..2026', join(volume, '..data'));
  await symlink(`..data/${name}`, join(volume, name));
  return join(volume, name);
}

it('the chart runs scans with the image key-admin, and lets the codec server read the report', async () => {
  const resources = await render(everything);
  const { spec } = named(resources, 'CronJob', 'scan');
  expect(spec).toMatchObject({ concurrencyPolicy: 'Forbid', jobTemplate: { spec: { backoffLimit: 0 } } });
  const pod = scanPod(resources);
  const [container] = pod.containers;
  expect(container.image).toMatch(/\/key-admin:/);
  expect(pod).toMatchObject({
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    serviceAccountName: 'tk-scan',
  });
  expect(container.securityContext).toEqual(podOf(resources, 'worker').containers[0].securityContext);
  const unit = await read('deploy/systemd/temporal-kms-scan.service');
  expect(unit).toContain(`main.mjs ${container.args.slice(0, -4).join(' ')}\n`);
  const { CODEC_STORAGE_FILE } = variables(resources, 'codec-server');
  expect(container.args.slice(-4)).toEqual(['--external-storage', CODEC_STORAGE_FILE, '--rps', '20']);
  expect(pod.volumes).toContainEqual(
    expect.objectContaining({
      configMap: expect.objectContaining({
        items: ['keys.yaml', 'storage.yaml'].map((key) => ({ key, path: key })),
      }),
    }),
  );

  const server = podOf(resources, 'codec-server');
  expect(pod.securityContext).toEqual(server.securityContext);
  expect(variables(resources, 'codec-server').SCAN_REPORT_FILE).toBe(
    container.args[container.args.indexOf('--out') + 1],
  );
  const claimed = { name: 'scan', persistentVolumeClaim: { claimName: 'scan' } };
  for (const { volumes } of [pod, server]) expect(volumes).toContainEqual(claimed);
  const mount = { name: 'scan', mountPath: '/var/lib/temporal-kms' };
  expect(container.volumeMounts).toContainEqual(mount);
  expect(server.containers[0].volumeMounts).toContainEqual({ ...mount, readOnly: true });

  const { ingress, egress } = named(resources, 'NetworkPolicy', 'scan').spec;
  expect(ingress ?? []).toEqual([]);
  expect(egress).toEqual(named(resources, 'NetworkPolicy', 'worker').spec.egress);
  const without = await render({ codecServer: { policy } });
  expect(without.filter(({ metadata }) => metadata.name === 'tk-scan')).toEqual([]);
  for (const name of ['SCAN_REPORT_FILE', 'CODEC_STORAGE_FILE'])
    expect(variables(without, 'codec-server')).not.toHaveProperty(name);
});

it('the script that runs the scan keeps the report out of the log, but passes on errors, arguments and the exit status', async () => {
  const { command, args } = scanPod(await render(everything)).containers[0];
  const folder = await mkdtemp(join(tmpdir(), 'temporal-kms-scan-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const program = join(folder, 'main.mjs');
  await writeFile(
    program,
    'process.stdout.write("id"); console.log("id"); console.error(process.argv.slice(2).join(" ")); process.exitCode = 1;',
  );
  const started = [...command.slice(1, -1), program, ...args];
  expect(command.at(-1)).toBe('/app/main.mjs');
  const { stdout, stderr, exitCode } = await execa(process.execPath, started, { reject: false });
  expect([stdout, stderr, exitCode]).toEqual(['', args.join(' '), 1]);
});

it('the chart contains alerts.yaml unchanged', async () => {
  const rule = named(await render(everything), 'PrometheusRule', 'alerts');
  expect(rule.metadata.labels.release).toBe('prometheus');
  expect(rule.spec).toEqual(parse(await readFile(join(chart, 'alerts.yaml'), 'utf8')));
});

async function spread(values: object, app: string): Promise<any> {
  return podOf(await render({ codecServer: { policy }, ...values }), app).topologySpreadConstraints;
}

it('the chart spreads pods over zones and nodes if possible, or as the values specify', async () => {
  const labelSelector = {
    matchLabels: { 'app.kubernetes.io/name': 'worker', 'app.kubernetes.io/instance': 'tk' },
  };
  const soft = { maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway', labelSelector };
  expect(await spread({}, 'worker')).toEqual([
    { ...soft, topologyKey: 'topology.kubernetes.io/zone' },
    { ...soft, topologyKey: 'kubernetes.io/hostname' },
  ]);
  const hard = { maxSkew: 2, topologyKey: 'rack', whenUnsatisfiable: 'DoNotSchedule' };
  const own = { ...hard, labelSelector: { matchLabels: { tier: 'kms' } } };
  const given = { topologySpreadConstraints: [hard, own] };
  expect(await spread(given, 'worker')).toEqual([{ ...hard, labelSelector }, own]);
  expect(await spread({ topologySpreadConstraints: [] }, 'codec-server')).toBeUndefined();
});

const heap = WITHIN_256_MIB.NODE_OPTIONS;
it.for([
  ['256Mi', {}, heap],
  ['0.25Gi', { NODE_OPTIONS: '--dns-result-order=ipv4first' }, `${heap} --dns-result-order=ipv4first`],
  [268_435_456, {}, heap],
  ['400M', {}, heap],
  ['512Mi', {}, undefined],
  ['1G', { NODE_OPTIONS: '--max-old-space-size=384' }, '--max-old-space-size=384'],
] as const)(
  'the chart gives a codec server with %s the memory settings in the docs',
  async ([memory, env, options]) => {
    const [operations, deploy, compose] = await Promise.all(
      ['docs/limits.md', 'docs/deploy.md', 'compose.yaml'].map(read),
    );
    for (const [name, value] of Object.entries(WITHIN_256_MIB)) {
      for (const page of [operations, deploy]) expect(page).toContain(`${name}="${value}"`);
      expect(parse(compose!, { merge: true }).services['codec-server'].environment).toHaveProperty(
        name,
        value,
      );
    }
    const resources = await render({ codecServer: { policy, env, resources: { limits: { memory } } } });
    const { NODE_OPTIONS, MALLOC_ARENA_MAX } = variables(resources, 'codec-server');
    expect(NODE_OPTIONS).toBe(options);
    expect(MALLOC_ARENA_MAX).toBe(options?.startsWith(heap) ? '1' : undefined);
  },
);

const optionsOf = async (worker: object) =>
  variables(await render({ codecServer: { policy }, worker }), 'worker')['NODE_OPTIONS'];

it('the chart limits a worker’s young generation as the docs recommend, unless NODE_OPTIONS sets another limit', async () => {
  const [, option] = /NODE_OPTIONS="(--max-semi-space-size=\d+)"/.exec(await read('docs/limits.md')) ?? [];
  expect(option).toBeDefined();
  expect(await optionsOf({})).toBe(option);
  const own = '--max-semi-space-size=64';
  expect(await optionsOf({ env: { NODE_OPTIONS: own } })).toBe(`${option} ${own}`);
});

const key = { GCP_KMS_KEY: 'payloads' };
const { keys } = everything;
const refused: readonly (readonly [what: string, values: object, message: RegExp])[] = [
  ['an unknown value', { codecServer: { policy, replica: 3 } }, /replica/],
  ['a codec server without a policy', { codecServer: {} }, /codecServer\.policy is empty/],
  ['an ingress without TLS', { ingress: { enabled: true, host: 'a.example' } }, /TLS/],
  ['a keys file and a key', { keys, env: key }, /GCP_KMS_KEY/],
  ['a keys file and a key of one application', { keys, worker: { env: key } }, /GCP_KMS_KEY/],
  [
    'a keys file and a key of the scan',
    { keys, scan: { enabled: true, claim: 'scan', env: key } },
    /GCP_KMS_KEY/,
  ],
  ['a keys file in a variable and a key', { env: { ...key, KMS_KEYS_FILE: '/keys.yaml' } }, /GCP_KMS_KEY/],
  [
    'a codec server with a memory limit of 255 MiB',
    { codecServer: { policy, resources: { limits: { memory: '255Mi' } } } },
    /256Mi/,
  ],
  [
    'a memory limit in an unknown unit',
    { codecServer: { policy, resources: { limits: { memory: '256MB' } } } },
    /memory/,
  ],
  [
    'a worker that is killed',
    { worker: { shutdownGraceSeconds: 15 } },
    /terminationGracePeriodSeconds of worker/,
  ],
  [
    'a worker that is killed because of a variable in worker.env',
    { worker: { env: { WORKER_SHUTDOWN_GRACE_SECONDS: '15' } } },
    /terminationGracePeriodSeconds of worker/,
  ],
  [
    'a codec server that is killed',
    { codecServer: { policy, preStopSleepSeconds: 6 } },
    /terminationGracePeriodSeconds of codec-server/,
  ],
  ['a scan without a volume', { scan: { enabled: true } }, /scan\.claim/],
  [
    'a scan without a codec server',
    { codecServer: { enabled: false }, scan: { enabled: true, claim: 'scan' } },
    /codecServer\.enabled/,
  ],
];
it.for(refused)('the chart refuses %s', async ([, values, message]) => {
  const { exitCode, stderr } = await run(['template', 'tk'], { codecServer: { policy }, ...values });
  expect(exitCode).not.toBe(0);
  expect(stderr).toMatch(message);
});
