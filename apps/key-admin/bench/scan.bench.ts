import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ScanReport } from '@temporal-kms/codec-api';
import { loadKmsCodec } from '@temporal-kms/kms-codec';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { Connection } from '@temporalio/client';
import type { Payload } from '@temporalio/common';

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '2000' },
    workers: { type: 'string', default: '1,2,4' },
    rps: { type: 'string', default: '20000' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/scan.bench.ts [--histories 2000] [--workers 1,2,4] [--rps 20000]\n' +
      'Starts Temporal, creates small closed runs with an encrypted input, and scans them in one process, and then in 1, 2 and\n' +
      '4 worker processes. Repeats the last scan while one of its workers is killed (SIGKILL) and replaced. Each report must\n' +
      'count exactly the runs that this program created, by key version, and equal the report of the single process.\n' +
      'Temporal, which keeps its data in a file, the workers and this program share the machine.',
  );
  process.exit(0);
}
const histories = Number(values.histories);
const src = join(import.meta.dirname, '..', 'src');
const namespace = 'default';
const KEY = 'projects/p/locations/global/keyRings/r/cryptoKeys/k';

const folder = await mkdtemp(join(tmpdir(), 'scan-bench-'));
const temporal = await startTemporal({
  // Stores runs in a file: in memory, 100,000 runs take 10 GB, and the server exits.
  dbFile: join(folder, 'temporal.db'),
  // The benchmark's data need not survive a machine crash.
  sqlitePragmas: { synchronous: 'OFF' },
  dynamicConfig: {
    // With the default limit of 128,000 runs, the cache would keep every run in memory too.
    'history.hostLevelCacheMaxSize': 1_000,
    // With the default limits, the server would be the bottleneck, not the scanning processes.
    'frontend.namespaceRPS': 1_000_000,
    'frontend.namespaceRPS.visibility': 1_000_000,
    'frontend.rps': 1_000_000,
    'history.rps': 1_000_000,
  },
});
const emulator = await startEmulator({ keys: [KEY] });
const connection = await Connection.connect({ address: temporal.address });
const env = {
  GCP_PROJECT: 'p',
  GCP_KMS_LOCATION: 'global',
  GCP_KMS_KEY_RING: 'r',
  GCP_KMS_KEY: 'k',
  KMS_EMULATOR_HOST: emulator.address,
  TEMPORAL_ADDRESS: temporal.address,
};
const started: NodeProcess[] = [];
/** Number of runs created, by the key version that encrypts their inputs. */
const created = new Map<number, number>();
/** The findings of the first scan. */
let expected: object | undefined;
let isEnding = false;
async function reportEndOfTemporal(): Promise<void> {
  const status = await temporal.exited;
  if (!isEnding) console.error(`Temporal ended with ${status}:\n${temporal.tail()}`);
}
void reportEndOfTemporal();
process.on('exit', () => {
  for (const { child } of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
try {
  const took = await seconds(createRuns);
  console.error(`${histories} runs created in ${took.toFixed(0)} s`);
  console.log('| what | seconds | histories per second |\n| --- | --- | --- |');
  await measure('one process, without workflows', () => scan());
  const counts = values.workers.split(',').map(Number);
  for (const count of counts) {
    const workers = await startWorkers(count);
    await measure(`--on-temporal, ${count} worker process${count === 1 ? '' : 'es'}`, () =>
      scan('--on-temporal'),
    );
    await stop(workers);
  }
  const most = counts.at(-1) ?? 1;
  const workers = await startWorkers(most);
  await measure(`--on-temporal, ${most} of which 1 is killed and replaced`, async () => {
    const running = client('--on-temporal');
    await untilCounted(running);
    await workers[0]?.kill();
    workers.push(...(await startWorkers(1)));
    return await reportOf(running);
  });
  await stop(workers);
} finally {
  isEnding = true;
  await stop(started);
  await connection.close();
  await emulator.close();
  await temporal.close();
}

async function measure(what: string, run: () => Promise<ScanReport>): Promise<void> {
  let report: ScanReport | undefined;
  const took = await seconds(async () => {
    report = await run();
  });
  const [found] = report?.namespaces ?? [];
  const { looked, keys, findings, gaps } = found ?? {};
  const counted = keys?.map(({ version, places }) => [version, places.closed?.histories] as const);
  assert.deepEqual(
    { open: looked?.open.histories, closed: looked?.closed.histories, versions: new Map(counted), gaps },
    { open: 0, closed: histories, versions: created, gaps: [] },
  );
  const result = { looked: [looked?.open, looked?.closed], keys, findings };
  expected ??= result;
  assert.deepEqual(result, expected);
  console.log(`| ${what} | ${took.toFixed(1)} | ${Math.round(histories / took)} |`);
}

/** Creates closed runs whose inputs are encrypted under version 1 or 2 of the key. */
async function createRuns(): Promise<void> {
  const first = await encryptedInput();
  await emulator.rotate(KEY);
  const inputs = [first, await encryptedInput()];
  const { workflowService } = connection;
  let next = 0;
  const create = async (): Promise<void> => {
    while (next < histories) {
      const workflowId = `run-${next}`;
      // Two of three runs use version 2 of the key.
      const version = next % 3 === 0 ? 1 : 2;
      next += 1;
      await workflowService.startWorkflowExecution({
        namespace,
        workflowId,
        workflowType: { name: 'any' },
        taskQueue: { name: 'none' },
        input: { payloads: inputs[version - 1] ?? [] },
        requestId: randomUUID(),
      });
      await workflowService.terminateWorkflowExecution({ namespace, workflowExecution: { workflowId } });
      created.set(version, (created.get(version) ?? 0) + 1);
      const done = (created.get(1) ?? 0) + (created.get(2) ?? 0);
      if (done % 10_000 === 0) console.error(`${done} runs created`);
    }
  };
  await Promise.all(Array.from({ length: 32 }, create));
  const query = "ExecutionStatus = 'Terminated'";
  while (Number((await workflowService.countWorkflowExecutions({ namespace, query })).count) !== histories)
    await sleep(500);
}

/**
 * Returns an input encrypted by a new codec, so that its key is wrapped under the current primary version.
 */
async function encryptedInput(): Promise<Payload[]> {
  const codec = loadKmsCodec({ namespace, env });
  const plain = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"a small input"') };
  const payloads = await codec.encode([plain], { type: 'workflow', namespace, workflowId: 'any' });
  await codec.close();
  return payloads;
}

function start(file: string, args: readonly string[]): NodeProcess {
  const running = startNode(join(src, file), { args, env });
  started.push(running);
  return running;
}

async function startWorkers(count: number): Promise<NodeProcess[]> {
  const workers = Array.from({ length: count }, () => start('scan-worker/main.ts', ['--no-state']));
  while (!workers.every((worker) => worker.stderr().includes('polls the task queue'))) {
    if (!workers.every((worker) => worker.isRunning())) throw new Error('A worker has ended');
    await sleep(100);
  }
  return workers;
}

/** Gives each scan a new state folder, so that the scan reads everything. */
function client(...more: string[]): NodeProcess {
  const state = join(folder, randomUUID());
  return start('main.ts', [
    'scan',
    '--json',
    '--settle',
    '0',
    '--rps',
    values.rps,
    '--state',
    state,
    ...more,
  ]);
}

function scan(...more: string[]): Promise<ScanReport> {
  return reportOf(client(...more));
}

async function reportOf(running: NodeProcess): Promise<ScanReport> {
  const code = await running.ended;
  if (code !== 0) throw new Error(`The scan ended with ${code}: ${running.output()}`);
  return JSON.parse(running.stdout());
}

async function untilCounted(running: NodeProcess): Promise<void> {
  while (running.isRunning() && !/ [1-9]\d* counted/.test(running.stderr())) await sleep(100);
}

async function stop(processes: readonly NodeProcess[]): Promise<void> {
  await Promise.all(processes.map((one) => one.kill()));
}

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await run();
  return (performance.now() - before) / 1_000;
}
