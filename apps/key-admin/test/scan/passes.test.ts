import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { readRun } from '../../src/scan/read-run.ts';
import { scanNamespace } from '../../src/scan/scan-namespace.ts';
import type { ListedRun, ScanSource } from '../../src/scan/source.ts';
import { ScanState } from '../../src/scan/state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { KEY, payloadOf } from '../support/world.ts';

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

async function scan(source: ScanSource) {
  const folder = await temporaryFolder();
  return await scanNamespace({
    source,
    namespace: 'payments',
    keys: [KEY],
    openState: () => ScanState.open(join(folder, 'journal')),
    exports: [],
    settleMs: 10,
    now: () => new Date(),
    sleep,
    progress: () => undefined,
  });
}

it('finds the copy of a run that was reset and deleted before the list came to it', async () => {
  const now = Date.now();
  const asked: string[] = [];
  const report = await scan({
    ...nothing,
    async *runs(query) {
      asked.push(query);
      if (query === '') {
        yield [run('recent', now)];
        // Here the run `old` is reset and deleted. Its copy would have been on the first page.
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

it('finds the run of a schedule that was deleted before the runs were listed', async () => {
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
  expect(calls).toEqual(['schedules', 'runs', 'runs']);
});

it('reads pending work before the history, into which the server may copy it', async () => {
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
