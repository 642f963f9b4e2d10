import { startStack } from '@temporal-kms/testing/stack';
import {
  NativeConnection,
  type NativeConnectionOptions,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CloudKms, KeyRules, KmsCodec } from '@temporal-kms/kms-codec';
import { superviseProcess, supervisorTimes } from '../../src/run-worker/supervise-process.ts';
import { KmsWorkerPlugin, workerExitCodes } from '../../src/index.ts';
import type { SafeLogEntry } from '../../src/logging.ts';
import { cryptoKey } from '../support/codec.ts';
import { bundle, installRuntime } from './support/worker.ts';

const key = cryptoKey('workflows');
let stack: Awaited<ReturnType<typeof startStack>>;
let workflowBundle: Awaited<ReturnType<typeof bundle>>;

beforeAll(async () => {
  installRuntime();
  [stack, workflowBundle] = await Promise.all([startStack({ emulator: { keys: [key] } }), bundle()]);
});
afterAll(() => stack?.close());

interface Stumble {
  readonly namespace?: string;
  readonly encrypt?: string;
  readonly connection?: NativeConnectionOptions;
  readonly worker?: Partial<WorkerOptions>;
  readonly namespaceMs?: number;
  readonly hasWorkflows?: true;
  /** Path of a member of the worker that another version of Temporal's SDK does not have. */
  readonly missing?: string;
}

/** Creates a worker and removes one of its members. */
async function createWithout(path: string | undefined, options: WorkerOptions): Promise<Worker> {
  const worker = await Worker.create(options);
  const names = path?.split('.') ?? [];
  const name = names.pop();
  const owner = names.reduce<object>((value, one) => Reflect.get(value, one), worker);
  if (name !== undefined) Object.defineProperty(owner, name, { value: undefined });
  return worker;
}

/** Starts a worker with one mistake, and returns the worker and its log. */
function start({ namespace = 'default', encrypt = key, namespaceMs = 0, ...given }: Stumble) {
  const log: SafeLogEntry[] = [];
  const keyService = new CloudKms({ emulatorHost: stack.emulator.address });
  const codec = new KmsCodec({
    rules: new KeyRules({ default: { encrypt }, nope: { encrypt } }),
    keyService,
  });
  const running = superviseProcess(
    {
      codec,
      namespace,
      connect: () => NativeConnection.connect({ address: stack.address, ...given.connection }),
      createWorker: (connection) =>
        createWithout(given.missing, {
          connection,
          namespace,
          taskQueue: 'misconfigured',
          activities: { noop: () => Promise.resolve() },
          plugins: [new KmsWorkerPlugin(codec)],
          ...(given.hasWorkflows && { workflowBundle }),
          ...given.worker,
        }),
      write: (entry) => void log.push(entry),
      signals: [],
      exit: () => undefined,
    },
    { ...supervisorTimes, firstDelayMs: 50, namespaceMs },
  );
  return { running, log, problems: () => log.filter(({ level }) => level === 'ERROR' || level === 'WARN') };
}

describe('a worker', () => {
  it.each<[string, Stumble, RegExp]>([
    ['has no key for its namespace', { namespace: 'payments' }, /namespace payments; add a rule/],
    [
      'has an address without a valid port',
      { connection: { address: 'localhost:99999' } },
      /TEMPORAL_ADDRESS/,
    ],
    [
      'has a client certificate file that does not contain a certificate',
      { connection: { tls: { clientCertPair: { crt: Buffer.from('x'), key: Buffer.from('y') } } } },
      /TEMPORAL_TLS_CLIENT_/,
    ],
    ['polls a namespace that the server does not have', { namespace: 'nope' }, /no namespace nope/],
    ['has no task queue', { worker: { taskQueue: '' } }, /[Tt]ask queue/],
    ['has another logger', { missing: 'logger.error' }, /no logger\.error/],
    ['cannot finalize', { missing: 'nativeWorker.finalizeShutdown' }, /no nativeWorker\.finalizeShutdown/],
    ['cannot report activity tasks', { missing: 'pollLoop$' }, /no pollLoop\$/],
    [
      'cannot send heartbeats',
      { missing: 'nativeWorker.recordActivityHeartbeat' },
      /recordActivityHeartbeat/,
    ],
    [
      'cannot list its workflow threads',
      { missing: 'workflowCreator.workerThreadClients', hasWorkflows: true },
      /no workflowCreator\.workerThreadClients/,
    ],
    [
      'cannot end a workflow thread',
      { missing: 'workflowCreator.workerThreadClients.0.workerThread', hasWorkflows: true },
      /no workerThread\.terminate/,
    ],
    ['names a file without workflows', { worker: { workflowsPath: '/nonexistent/workflows.ts' } }, /ENOENT/],
    [
      'has a bundle without a failure converter',
      { worker: { workflowBundle: { code: 'exports = {}' } } },
      /failureConverterPath/,
    ],
  ])('ends the process with 78 and logs the reason if it %s', async (_what, stumble, reason) => {
    const { running, problems } = start(stumble);
    expect(await running.ended).toBe(workerExitCodes.misconfigured);
    expect(problems().at(-1)?.fields['reason']).toMatch(reason);
    expect(problems().length).toBeLessThanOrEqual(2);
  });

  it('waits for a namespace that may be created later, and logs only one line', async () => {
    const { running, log, problems } = start({ namespace: 'nope', namespaceMs: 60_000 });
    const attempts = () => log.filter(({ message }) => message === 'Waiting before the next attempt');
    await expect.poll(() => attempts().length, { timeout: 60_000 }).toBeGreaterThan(2);
    expect(problems()).toMatchObject([{ fields: { reason: expect.stringContaining('no namespace nope') } }]);
    running.stop();
    expect(await running.ended).toBe(workerExitCodes.stopped);
  });

  it.each([
    ['key_not_found', { encrypt: cryptoKey('missing') }],
    ['key_disabled', {}],
  ])(
    'waits for an administrator after %s, and logs only one line, which names the key',
    async (errorCode, stumble) => {
      const isDisabled = errorCode === 'key_disabled';
      const version = `${key}/cryptoKeyVersions/1`;
      if (isDisabled) await stack.emulator.setVersionState(version, 'DISABLED');
      const { running, problems } = start(stumble);
      await expect.poll(() => running.readiness().trouble, { timeout: 60_000 }).toBe(errorCode);
      expect(problems()).toMatchObject([
        { fields: { errorCode, reason: expect.stringContaining(key.slice(0, 40)) } },
      ]);
      if (isDisabled) await stack.emulator.setVersionState(version, 'ENABLED');
      running.stop();
      await running.ended;
    },
  );
});
