import { expect, test } from 'vitest';
import { describedPayloads, workflowDescription, workflowSummary } from '../../src/history/description.ts';

const payload = (text: string): any => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(text),
});
const inspect = ({ data }: any) => ({ format: 'plain' as const, encoding: 'json/plain', bytes: data.length });

const activity = (activityId: string, ...details: string[]): any => ({
  activityId,
  heartbeatDetails: { payloads: details.map(payload) },
});
const description = (...pendingActivities: any[]): any => ({
  workflowExecutionInfo: {
    execution: { workflowId: 'w', runId: 'r' },
    memo: { fields: { note: payload('"memo"') } },
  },
  pendingActivities,
});

const refsByPath = (described: any): Record<string, string> =>
  Object.fromEntries(
    workflowDescription(described, 'n', inspect).payloads.map(({ path, ref }) => [path, ref]),
  );

test('a ref keeps its meaning when what stood before it has gone', () => {
  const before = description(activity('1', 'one'), activity('2', 'two'));
  const after = description(activity('2', 'two'));
  const ref = refsByPath(before)['pendingActivities[1].heartbeatDetails.payloads[0]']!;
  expect(refsByPath(after)['pendingActivities[0].heartbeatDetails.payloads[0]']).toBe(ref);
  expect(Buffer.from(describedPayloads(after).get(ref)!.payload.data!).toString()).toBe('two');
  const gone = refsByPath(before)['pendingActivities[0].heartbeatDetails.payloads[0]']!;
  expect(describedPayloads(after).get(gone)).toBeUndefined();
});

test('equal payloads have refs of their own', () => {
  const refs = Object.values(refsByPath(description(activity('1', 'same', 'same'), activity('2', 'same'))));
  expect(new Set(refs).size).toBe(4);
});

test('thousands of equal payloads take no longer than different ones', () => {
  const described = description(activity('1', ...Array.from({ length: 24_000 }, () => 'same')));
  const begun = performance.now();
  const refs = Object.values(refsByPath(described));
  expect(performance.now() - begun).toBeLessThan(5_000);
  expect(new Set(refs).size).toBe(24_001);
});

test("a list's memo has the refs of the description", () => {
  const described = description(activity('1', 'one'));
  const { memo } = workflowSummary(described.workflowExecutionInfo, 'n', inspect);
  expect(memo).toEqual([
    expect.objectContaining({
      path: 'memo.fields.note',
      ref: refsByPath(described)['workflowExecutionInfo.memo.fields.note'],
    }),
  ]);
});

const withStatus = (status: number): any => ({ status });

test('a status that is newer than the API is Unspecified', () => {
  expect(workflowSummary(withStatus(99), 'n', inspect).status).toBe('Unspecified');
  expect(workflowSummary(withStatus(7), 'n', inspect).status).toBe('TimedOut');
});
