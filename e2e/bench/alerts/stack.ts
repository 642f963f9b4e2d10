import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKmsCodec, type KmsCodec, KmsCodecPlugin, KeyRules } from '@temporal-kms/kms-codec';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { answers } from '@temporal-kms/scripts/child';
import { freePorts } from '@temporal-kms/scripts/ports';
import { startIssuer } from '@temporal-kms/testing/issuer';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { Closers, startTemporalStack } from '@temporal-kms/testing/stack';
import { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { grant, keyOf, type Namespace, namespaces, SERVER } from './keys.ts';

const apps = join(import.meta.dirname, '../../../apps');
const movedClock = join(import.meta.dirname, 'moved-clock.ts');
const brokenCodec = join(import.meta.dirname, 'broken-codec.ts');
const AUDIENCE = 'https://codec.example.com';
const START_MS = 90_000;
export const TASK_QUEUE = 'alerts';

/**
 * The stack for the faults: the emulator and the programs, which are configured as in production, but run from source.
 */
export interface Stack {
  readonly emulator: Emulator;
  /** Host and port of each program's `/metrics`, by job. */
  readonly targets: Readonly<Record<string, string>>;
  /** Returns a client with the codec. */
  clientOf(namespace: string): Client;
  /** A client that sends plaintext, because it has no codec. */
  readonly plainClient: Client;
  /** The folder of the audit, the folder of the branch-key store, and the file of the scan's report. */
  readonly auditFolder: string;
  readonly storeFolder: string;
  readonly reportFile: string;
  /** Encrypts each payload under a separate branch key, as separate programs would. */
  encrypt(texts: readonly string[], key?: string): Promise<Payload[]>;
  /**
   * Sends payloads to `/decode`.
   *
   * @param token by default, the token of a person with the permission `decode`
   */
  decode(payloads: readonly Payload[], token?: string): Promise<number>;
  /** Restarts the codec server with a keys file that names all namespaces. */
  restartCodecServer(): Promise<void>;
  /** Runs `temporal-kms scan`, which writes the report. */
  scan(): Promise<void>;
  moveWorkerClock(hours: number): Promise<void>;
  /** Starts a worker for the task queue `broken`, and then activates a bug in the worker's codec. */
  startBrokenWorker(): Promise<void>;
  close(): Promise<void>;
}

export async function startStack(): Promise<Stack> {
  const closers = new Closers();
  const folder = await mkdtemp(join(tmpdir(), 'alerts-'));
  closers.defer(() => rm(folder, { recursive: true, force: true }));
  try {
    return await startIn(folder, closers);
  } catch (error) {
    await closers.close();
    throw error;
  }
}

async function startIn(folder: string, closers: Closers): Promise<Stack> {
  const [
    codecPort = 0,
    codecMetrics = 0,
    health = 0,
    workerMetrics = 0,
    brokenHealth = 0,
    brokenMetrics = 0,
  ] = await freePorts(6);
  const keys = namespaces.filter((name) => name !== 'overdue').map(keyOf);
  const emulator = closers.use(await startEmulator({ keys, identities: { [SERVER]: 0 } }));
  for (const name of namespaces) if (name !== 'overdue') await grant(emulator, name);
  const temporal = closers.use(await startTemporalStack({ namespaces: ['destroyed'] }));
  const issuer = await startIssuer(AUDIENCE);
  closers.defer(async () => issuer.close());
  const [auditFolder, storeFolder] = [join(folder, 'audit'), join(folder, 'branch-keys')];
  await mkdir(auditFolder, { mode: 0o700 });
  await mkdir(storeFolder, { mode: 0o700 });
  const reportFile = join(folder, 'scan.json');
  const clockFile = join(folder, 'clock');
  await writeFile(clockFile, '0');
  const keysFile = join(folder, 'keys.yaml');
  const writeKeys = async (names: readonly Namespace[]): Promise<void> => {
    const rules = names.map((name) => `  ${name}: { encrypt: ${keyOf(name)} }`);
    await writeFile(keysFile, `namespaces:\n${rules.join('\n')}\n...\n`, { mode: 0o644 });
  };
  // If the keys file named a crypto key that does not exist yet, an additional alert would fire.
  await writeKeys(namespaces.filter((name) => name !== 'overdue'));
  const policyFile = join(folder, 'policy.yaml');
  await writeFile(policyFile, policy(issuer.issuer), { mode: 0o644 });
  const token = await issuer.token();

  const common = {
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    // Without TEMPORAL_CONFIG_FILE, the programs would read the user's profile file.
    TEMPORAL_CONFIG_FILE: join(apps, '../scripts/temporal.toml'),
    KMS_KEYS_FILE: keysFile,
    LOG_LEVEL: 'error',
  };
  const start = (app: string, env: Record<string, string>, nodeOptions: string[] = []): NodeProcess => {
    const options = { cwd: join(apps, app), env: { ...common, ...env }, nodeOptions };
    const started = startNode('src/main.ts', options);
    closers.defer(() => started.kill());
    return started;
  };
  const startCodecServer = (): NodeProcess =>
    start('codec-server', {
      KMS_EMULATOR_HOST: emulator.identities[SERVER] ?? '',
      CODEC_PORT: String(codecPort),
      CODEC_METRICS_PORT: String(codecMetrics),
      AUTH: 'policy',
      POLICY_FILE: policyFile,
      AUDIT_FILE: join(auditFolder, 'audit.jsonl'),
      SCAN_REPORT_FILE: reportFile,
    });
  const workerOf = (healthPort: number, metricsPort: number): Record<string, string> => ({
    KMS_EMULATOR_HOST: emulator.address,
    TEMPORAL_TASK_QUEUE: TASK_QUEUE,
    WORKER_HEALTH_PORT: String(healthPort),
    WORKER_METRICS_PORT: String(metricsPort),
    WORKER_SHUTDOWN_GRACE_SECONDS: '1',
  });
  let codecServer = startCodecServer();
  const worker = start(
    'worker',
    { ...workerOf(health, workerMetrics), KMS_BRANCH_KEYS: `file:${storeFolder}`, CLOCK_FILE: clockFile },
    ['--import', movedClock],
  );
  const url = `http://127.0.0.1:${codecPort}`;
  await untilReady(`${url}/readyz`, codecServer);
  await untilReady(`http://127.0.0.1:${health}/readyz`, worker);

  const codecOf = (key: string): KmsCodec =>
    createKmsCodec({
      rules: new KeyRules({ default: { encrypt: key }, destroyed: { encrypt: keyOf('destroyed') } }),
      emulatorHost: emulator.address,
      format: undefined,
      compression: undefined,
      bindWorkflow: false,
    });
  const codec = codecOf(keyOf('default'));
  closers.defer(() => codec.close());
  const { connection } = temporal;
  const encryptOne = async (text: string, key: string): Promise<Payload> => {
    const other = codecOf(key);
    try {
      const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(`"${text}"`) };
      const [encrypted = payload] = await other.encode([payload], {
        type: 'workflow',
        namespace: 'default',
        workflowId: '',
      });
      return encrypted;
    } finally {
      await other.close();
    }
  };
  return {
    emulator,
    targets: {
      'codec-server': `127.0.0.1:${codecMetrics}`,
      worker: `127.0.0.1:${workerMetrics}`,
      'broken-worker': `127.0.0.1:${brokenMetrics}`,
    },
    clientOf: (namespace) => new Client({ connection, namespace, plugins: [new KmsCodecPlugin(codec)] }),
    plainClient: new Client({ connection }),
    auditFolder,
    storeFolder,
    reportFile,
    encrypt: async (texts, key = keyOf('default')) => {
      const payloads: Payload[] = [];
      for (const text of texts) payloads.push(await encryptOne(text, key));
      return payloads;
    },
    decode: async (payloads, as = token) => {
      const response = await fetch(`${url}/decode`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-namespace': 'default',
          authorization: `Bearer ${as}`,
        },
        body: JSON.stringify({ payloads: payloads.map(inJson) }),
      });
      await response.text();
      return response.status;
    },
    restartCodecServer: async () => {
      await writeKeys(namespaces);
      await codecServer.kill();
      codecServer = startCodecServer();
      await untilReady(`${url}/readyz`, codecServer);
    },
    scan: async () => {
      const args = ['scan', '--namespace', 'destroyed', '--settle', '1', '--out', reportFile];
      const scanned = startNode('src/main.ts', {
        cwd: join(apps, 'key-admin'),
        args,
        env: { ...common, KMS_EMULATOR_HOST: emulator.address, HOME: folder },
      });
      if ((await scanned.ended) !== 0) throw new Error(`The scan failed. ${scanned.output()}`);
    },
    moveWorkerClock: (hours) => writeFile(clockFile, String(hours)),
    startBrokenWorker: async () => {
      const broken = { BROKEN_FILE: join(folder, 'broken'), TEMPORAL_TASK_QUEUE: 'broken' };
      const env = { ...workerOf(brokenHealth, brokenMetrics), ...broken };
      const started = start('worker', env, ['--import', brokenCodec]);
      await untilReady(`http://127.0.0.1:${brokenHealth}/readyz`, started);
      await writeFile(broken.BROKEN_FILE, '');
    },
    close: () => closers.close(),
  };
}

const policy = (issuer: string): string => `issuers:
  test: { type: oidc, issuer: '${issuer}', audience: '${AUDIENCE}', tokens: access }
rules:
  - { issuer: test, match: { sub: subject-1 }, namespaces: '*', permissions: [metadata, decode] }
...
`;

const inJson = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});

async function untilReady(url: string, started: NodeProcess): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (!(await answers(url))) {
    if (!started.isRunning() || Date.now() > deadline)
      throw new Error(`${url} is not ready. ${started.output().slice(-2_000)}`);
    await sleep(100);
  }
}
