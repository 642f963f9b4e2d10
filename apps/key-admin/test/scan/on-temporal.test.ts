import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type ScannedNamespace, type ScanReport, scanReport } from '@temporal-kms/codec-api';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { leaksIn } from '@temporal-kms/testing/canaries';
import { rawText, readHistory } from '@temporal-kms/testing/history';
import type { ProtoEvent } from '@temporal-kms/histories/payloads';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { workflowIdOf } from '../../src/scan/on-temporal/contract.ts';
import { eventTime } from '../../src/scan/read-run.ts';
import { type Built, buildPrograms } from '../support/built.ts';
import { afterwards, beforeTests, rotate, temporaryFolder } from '../support/cli.ts';
import { canary, createSchedule, plain, startNamespace } from '../support/scanned.ts';
import { startStore } from '../support/stored.ts';
import { useTemporal } from '../support/temporal.ts';

// This low limit makes each workflow continue as new several times.
const temporal = useTemporal({ dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 40 } });
// The tests run built programs, because each scan worker would otherwise compile the workflow code at its
// start.
let built: Built;
beforeAll(async () => {
  built = await buildPrograms();
}, 600_000);

type Namespace = Awaited<ReturnType<typeof startNamespace>>;

const reportOf = async (process: NodeProcess): Promise<ScanReport> => {
  const code = await process.ended;
  expect([code, process.stderr()]).toEqual([0, expect.anything()]);
  return scanReport.parse(JSON.parse(process.stdout()));
};

/**
 * Returns a state folder for a scan on Temporal, and functions that start the scan's client and workers. The
 * scan's workflows run in the namespace that it scans.
 */
async function onTemporal({ namespace, env: keys }: Namespace, folder?: string) {
  const state = folder ?? (await temporaryFolder());
  const env = { ...keys, TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: namespace };
  const start = (file: string, args: readonly string[]): NodeProcess => {
    const started = startNode(file, { args: [...args, '--state', state], env });
    afterwards(() => started.kill());
    return started;
  };
  const client = (...more: string[]): NodeProcess =>
    start(built.cli, ['scan', '--on-temporal', '--namespace', namespace, '--settle', '3', '--json', ...more]);
  const worker = (...more: string[]): NodeProcess => start(join(built.worker, 'main.mjs'), more);
  return { state, worker, client };
}

const sorted = <T>(list: readonly T[]): T[] =>
  list.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));

/** Returns the part of a report that must be equal in two reports about the same namespace. */
function comparable({ namespaces: [found] }: ScanReport): Partial<ScannedNamespace> {
  const { started: _s, finished: _f, keys, findings, gaps, ...rest } = found!;
  return { ...rest, keys: sorted(keys), findings: sorted(findings), gaps: sorted(gaps) };
}

/** Fills a namespace with open and closed runs, whose payloads are in several formats or in plaintext. */
async function fill(namespace: Namespace, runs: number): Promise<void> {
  const { cloud, encrypt, start, terminate } = namespace;
  const stored = [await encrypt(), await encrypt('direct'), await encrypt('envelope')];
  await rotate(cloud);
  stored.push(await encrypt(), plain());
  const one = async (n: number): Promise<void> => {
    await start(`run-${n}`, stored[n % stored.length]!, { memo: { fields: { note: stored[0]! } } });
    if (n % 3 > 0) await terminate(`run-${n}`, stored[(n + 1) % stored.length]);
  };
  const SIDE_BY_SIDE = 10;
  for (let n = 0; n < runs; n += SIDE_BY_SIDE)
    await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, runs - n) }, (_, more) => one(n + more)));
  await namespace.untilListed();
}

const withoutReads = ({ looked, ...rest }: Partial<ScannedNamespace>) => ({
  ...rest,
  storage: undefined,
  looked: Object.values(looked!).map((counts) => ({ ...counts, read: undefined })),
});

/**
 * Returns the events of all runs of the scan's workflow. Follows the chain of runs from the last run to the first,
 * because Temporal's lists may not contain the last run yet.
 */
async function eventsOfScan(namespace: string): Promise<ProtoEvent[]> {
  const { namespaceInfo } = await temporal.connection.workflowService.describeNamespace({ namespace });
  const workflowId = workflowIdOf(namespaceInfo!.id!);
  const all: ProtoEvent[] = [];
  for (let runId = ''; ;) {
    const events = await readHistory(temporal.connection, namespace, { workflowId, runId });
    all.push(...events);
    runId = events[0]!.workflowExecutionStartedEventAttributes!.continuedExecutionRunId ?? '';
    if (runId === '') return all;
  }
}

/** Waits until Temporal lists a run that a schedule has started. */
async function untilScheduledRunListed(namespace: string, scheduleId: string): Promise<void> {
  const { workflowService } = temporal.connection;
  await vi.waitUntil(
    async () => {
      const { executions } = await workflowService.listWorkflowExecutions({ namespace, pageSize: 1_000 });
      return executions.some(({ execution }) => execution?.workflowId?.startsWith(`of-${scheduleId}-`));
    },
    { timeout: 120_000 },
  );
}

describe('scan --on-temporal', () => {
  /** A namespace with runs, schedules and external storage. */
  let filled: Namespace;
  const RUNS = 120;
  let following: string[];
  /** The findings of a scan in one process. */
  let expected: Partial<ScannedNamespace>;
  beforeTests(async () => {
    filled = await startNamespace(temporal);
    const { namespace } = filled;
    await fill(filled, RUNS);
    const store = await startStore(namespace);
    const { reference } = await store.store(await filled.encrypt(), { workflowId: 'run-0' });
    for (let n = 0; n < 20; n += 1) await filled.start(`run-stored-${n}`, reference);
    following = ['--external-storage', store.file];
    await createSchedule(temporal.connection, namespace, 'monthly', [await filled.encrypt()]);
    await createSchedule(temporal.connection, namespace, 'triggered', [await filled.encrypt()]);
    await temporal.connection.workflowService.patchSchedule({
      namespace,
      scheduleId: 'triggered',
      requestId: randomUUID(),
      patch: { triggerImmediately: {} },
    });
    await untilScheduledRunListed(namespace, 'triggered');
    expected = comparable((await filled.scan(...following)).report);
    expect(expected.storage).toEqual({ objects: 1, requests: 1 });
  });

  it('has the same findings as a scan in one process, stays below the rate limit, and stores no payload', async () => {
    const { state, worker, client } = await onTemporal(filled);
    worker(...following);
    worker(...following);
    const rps = 15;
    const found = await reportOf(client(...following, '--rps', String(rps)));
    const { storage, ...rest } = comparable(found);
    expect(rest).toEqual({ ...expected, storage: undefined });
    // Each worker requests an object at most once.
    expect([1, 2]).toContain(storage?.requests);
    const { open, closed } = found.namespaces[0]!.looked;
    expect(open.histories).toBeGreaterThan(40);
    expect(found.namespaces[0]!.keys.flatMap(({ version }) => version ?? [])).toEqual(
      expect.arrayContaining([1, 2]),
    );

    const events = await eventsOfScan(filled.namespace);
    // Reading an open run takes two calls.
    const calls = closed.read + 2 * open.read;
    expect(calls).toBeGreaterThan(RUNS);
    const started = events.flatMap((event) =>
      event.activityTaskStartedEventAttributes ? [eventTime(event) ?? 0] : [],
    );
    const ended = events.flatMap((event) =>
      event.activityTaskCompletedEventAttributes ? [eventTime(event) ?? 0] : [],
    );
    const seconds = (Math.max(...ended) - Math.min(...started)) / 1000;
    // The limit applies to both workers together.
    expect(calls / seconds).toBeLessThan(rps * 1.02);

    const text = events.map((event) => rawText(event)).join();
    expect(text).toContain('listedUntil');
    expect(leaksIn(text, [canary])).toEqual([]);
    // The stored text contains no workflow ids either.
    expect(text).not.toMatch(/run-\d/);

    // The workers have kept the summaries, and the next scan counts none of the scan's own workflows.
    const again = await filled.scan('--state', state, ...following);
    const { looked } = again.report.namespaces[0]!;
    expect([looked.closed.read, looked.closed.histories, looked.open.histories]).toEqual([
      0,
      closed.histories,
      open.histories,
    ]);
  });

  it('has the same result if workers and the client are killed and restarted', async () => {
    const { worker, client } = await onTemporal(filled);
    const workers = [worker(...following), worker(...following)];
    const killed = client(...following, '--rps', '12');
    await vi.waitUntil(() => / [1-9]\d* in progress/.test(killed.stderr()), { timeout: 120_000 });
    await killed.kill();
    // One of the workers runs a shard, so its end interrupts the shard.
    await Promise.all(workers.map((each) => each.kill()));
    expect(killed.stdout()).toBe('');
    const second = client(...following, '--rps', '12');
    worker(...following);
    const found = await reportOf(second);
    expect(second.stderr()).toContain('the scan continues');
    const timeouts = (await eventsOfScan(filled.namespace)).filter(
      ({ activityTaskStartedEventAttributes: started }) => (started?.attempt ?? 1) > 1,
    );
    expect(timeouts.length).toBeGreaterThan(0);
    // An undisturbed scan reads a different number of runs, because this scan read some runs before a worker
    // was killed.
    expect(withoutReads(comparable(found))).toEqual(withoutReads(expected));
  });

  it('refuses a second scan of the same namespace with another state folder', async () => {
    const one = await startNamespace(temporal);
    await one.start('run', await one.encrypt());
    const [first, other] = [await onTemporal(one), await onTemporal(one)];
    const waiting = first.client();
    await vi.waitUntil(() => /no worker answers/.test(waiting.stderr()), { timeout: 120_000 });
    const refused = other.client();
    expect([await refused.ended, JSON.parse(refused.stdout()).error.exit]).toEqual([1, 'failed']);
    first.worker();
    expect((await reportOf(waiting)).complete).toBe(true);
    // The second client must not continue the first client's scan.
    expect((await reportOf(other.client())).namespaces[0]!.looked.open.histories).toBe(1);
  });

  it('refuses to continue a scan with other crypto keys', async () => {
    const one = await startNamespace(temporal);
    await one.start('run', await one.encrypt());
    const { state, client } = await onTemporal(one);
    const first = client();
    await vi.waitUntil(() => /no worker answers/.test(first.stderr()), { timeout: 120_000 });
    await first.kill();
    const other = await onTemporal({ ...one, env: { ...one.env, GCP_KMS_KEY: 'other' } }, state);
    const refused = other.client();
    expect(await refused.ended).toBe(1);
    const { error } = JSON.parse(refused.stdout());
    expect([error.message, error.fix]).toEqual([
      expect.stringContaining('the crypto keys that were configured then'),
      [expect.stringContaining('temporal workflow terminate')],
    ]);
  });
});

describe('a scan worker', () => {
  it.each([
    ['the namespace does not exist', { TEMPORAL_NAMESPACE: 'missing' }, [], 66, 'has no namespace missing'],
    ['the SDK refuses to create the worker', {}, ['--task-queue', '__temporal_queue'], 70, 'reserved'],
  ])('exits with an error if %s', async (_, more, args, status, text) => {
    const env = { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: 'default', ...more };
    const worker = startNode(join(built.worker, 'main.mjs'), { args: ['--no-state', ...args], env });
    afterwards(() => worker.kill());
    expect([await worker.ended, worker.stderr()]).toEqual([status, expect.stringContaining(text)]);
  });
});
