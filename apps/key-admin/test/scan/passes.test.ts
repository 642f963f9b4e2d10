import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { exportSource } from '../../src/scan/exports.ts';
import { readRun } from '../../src/scan/read-run.ts';
import { scanNamespace } from '../../src/scan/scan-namespace.ts';
import type { ListedRun, ScanSource } from '../../src/temporal/scan-source.ts';
import { ScanState } from '../../src/scan/state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { KEY, payloadOf } from '../support/messages.ts';

const run = (runId: string, startTime: number): ListedRun => ({
  workflowId: 'w',
  runId,
  isOpen: true,
  startTime,
  closeTime: undefined,
});

const input = (version: number) => ({
  workflowExecutionStartedEventAttributes: { input: { payloads: [payloadOf({ version, named: true })] } },
});

const nothing: ScanSource = {
  describe: async () => ({ id: 'id', retentionSeconds: 86_400, archive: 'none' }),
  async *runs() {},
  async *archivedRuns() {},
  async *history() {},
  describeRun: async () => ({}),
  async *schedules() {},
  describeSchedule: async () => undefined,
  notWalked: async () => [],
};

async function scan(source: ScanSource, ...exports: string[]) {
  const folder = await temporaryFolder();
  return await scanNamespace({
    source,
    namespace: 'payments',
    keys: [KEY],
    openState: () => ScanState.open(join(folder, 'journal')),
    exports: exports.map(exportSource),
    settleMs: 10,
    now: () => new Date(),
    sleep,
    progress: () => undefined,
  });
}

it('finds the copy of a run that was reset and deleted before the list reached the run', async () => {
  const now = Date.now();
  const asked: string[] = [];
  const report = await scan({
    ...nothing,
    async *runs(query) {
      asked.push(query);
      if (query === '') {
        yield [run('recent', now)];
        // At this moment, the run `old` is reset and deleted. A list that starts now has the copy of `old` on
        // its first page.
        yield [];
      } else {
        yield [run('copy', Date.now()), run('recent', now)];
      }
    },
    async *history({ runId }) {
      yield [input(runId === 'copy' ? 1 : 2)];
    },
  });
  expect(new Set(report.keys.map(({ version }) => version))).toEqual(new Set([1, 2]));
  expect(report.looked.open.histories).toBe(2);
  const [, since = ''] = /^StartTime >= "(.+)"$/.exec(asked[1] ?? '') ?? [];
  expect(Date.parse(since)).toBeLessThan(now);
});

it('finds a schedule’s run even if the schedule is deleted before the runs are listed', async () => {
  const calls: string[] = [];
  await scan({
    ...nothing,
    async *schedules() {
      calls.push('schedules');
      yield [];
    },
    async *runs() {
      calls.push('runs');
      yield [];
    },
  });
  expect(calls).toEqual(['schedules', 'runs', 'runs', 'schedules']);
});

it('reads pending work before the history, because the server may move the work into the history', async () => {
  let isTimedOut = false;
  const details = { payloads: [payloadOf({ version: 1, named: true })] };
  const read = await readRun(
    {
      ...nothing,
      describeRun: async () => {
        const description = isTimedOut ? {} : { pendingActivities: [{ heartbeatDetails: details }] };
        isTimedOut = true;
        return description;
      },
      async *history() {
        const failure = { timeoutFailureInfo: { lastHeartbeatDetails: details } };
        yield isTimedOut ? [input(2), { activityTaskTimedOutEventAttributes: { failure } }] : [input(2)];
        isTimedOut = true;
      },
    },
    run('r', 0),
  );
  const versions = [...read!.summary.traits.keys()].map((text) => JSON.parse(text).version);
  expect(new Set(versions)).toEqual(new Set([1, 2]));
});

const schedule = (info: object = {}, overlapPolicy = 1) => ({
  schedule: {
    policies: { overlapPolicy },
    action: { startWorkflow: { input: { payloads: [payloadOf({ version: 2, named: true })] } } },
  },
  info,
});

it('reads schedules that the first list missed, and reads each whole list before it describes a schedule', async () => {
  let lists = 0;
  let hasDescribed = false;
  const report = await scan({
    ...nothing,
    async *schedules() {
      lists += 1;
      yield ['first'];
      // While schedules are being described, another schedule moves to a page that was already read.
      if (!hasDescribed) yield ['moved'];
      if (lists > 1) yield ['late'];
    },
    describeSchedule: async () => {
      hasDescribed = true;
      return schedule();
    },
  });
  expect([report.complete, report.looked.schedules.histories]).toEqual([true, 3]);
});

const started = (...runIds: string[]) => ({
  actionCount: runIds.length,
  recentActions: runIds.map((runId, index) => ({
    actualTime: { seconds: 1_000 + index },
    startWorkflowResult: { workflowId: 'w', runId },
  })),
});
const scanWith = async (description: object, runs: readonly string[]) =>
  await scan({
    ...nothing,
    async *schedules() {
      yield ['nightly'];
    },
    describeSchedule: async () => description,
    async *runs() {
      yield runs.map((runId) => run(runId, Date.now()));
    },
    async *history({ runId }) {
      if (runId !== 'vanished') yield [input(2)];
    },
  });

describe('an earlier run’s result that a schedule keeps', () => {
  it.each([
    ['Temporal no longer has its run', schedule(started('gone')), []],
    ['Temporal has only an earlier run of the schedule', schedule(started('before', 'gone')), ['before']],
    ['the run ends before it is read', schedule(started('vanished')), ['vanished']],
    ['the schedule does not name its runs', schedule({ actionCount: 3 }), ['any']],
    ['the schedule’s runs may overlap', schedule(started('last'), 6), ['last']],
  ])('is a gap if %s', async (_, description, runs) => {
    const report = await scanWith(description, runs);
    expect([report.complete, report.looked.schedules.status]).toEqual([false, 'partial']);
    expect(report.gaps).toMatchObject([
      { kind: 'not_walked', place: 'schedules', count: 1, example: { workflowId: 'nightly' } },
    ]);
  });

  it.each([
    ['the schedule has not started a run', schedule(), []],
    ['the schedule’s latest run was read', schedule(started('gone', 'last')), ['last']],
  ])('is not a gap if %s', async (_, description, runs) => {
    expect((await scanWith(description, runs)).gaps).toEqual([]);
  });
});

it.each([
  ['before', [1, 0]],
  ['after', [0, 1]],
])('reports a gap even for a batch operation in progress only %s the runs are read', async (_, counts) => {
  let calls = 0;
  const message = 'Batch operations are in progress, and a scan does not read their inputs.';
  const report = await scan({
    ...nothing,
    notWalked: async () => {
      const count = counts[calls] ?? 0;
      calls += 1;
      return count === 0 ? [] : [{ message, count }];
    },
  });
  expect(report.gaps).toEqual([{ kind: 'not_walked', message, count: 1 }]);
  expect(report.complete).toBe(false);
});

it('reports one gap for all unreadable export files with the same reason, and another gap for an empty export', async () => {
  const [damaged, empty] = [await temporaryFolder(), await temporaryFolder()];
  for (let file = 1; file <= 20; file += 1) await writeFile(join(damaged, `${file}.pb`), 'no history');
  const { gaps, looked } = await scan(nothing, damaged, empty);
  expect(gaps.map(({ place, count }) => [place, count])).toEqual([
    ['exports', 20],
    ['exports', 1],
  ]);
  expect(gaps[1]!.message).toBe(`${empty}: The folder contains no file.`);
  expect(looked.exports.status).toBe('partial');
});

it('reports a limited number of keys, and a gap for the other keys', async () => {
  const report = await scan({
    ...nothing,
    async *runs() {
      yield [run('forged', Date.now())];
    },
    async *history() {
      for (let version = 1; version <= 1_500; version += 1) yield [input(version)];
    },
  });
  expect(report.keys).toHaveLength(1_000);
  expect(report.gaps).toMatchObject([{ kind: 'unreadable', place: 'open', count: 500 }]);
});

it('reports a static key’s name only if it looks like an id', async () => {
  const report = await scan({
    ...nothing,
    async *runs() {
      yield [run('forged', Date.now())];
    },
    async *history() {
      const payloads = ['sample', 'x'.repeat(129), 'a secret'].map((id) => ({
        metadata: { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from(id) },
        data: Buffer.alloc(40),
      }));
      yield [{ workflowExecutionStartedEventAttributes: { input: { payloads } } }];
    },
  });
  expect(report.keys.map(({ staticKey }) => staticKey)).toEqual(['sample', undefined]);
});
