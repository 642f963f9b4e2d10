import { payloadRefOf } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { lineDiff } from '../../../src/payloads/diff/line-diff.ts';
import { payloadChoices, positionOf } from '../../../src/runs/compare/payload-choices.ts';
import { pairDifferences } from '../../../src/runs/compare/pair-state.ts';
import { alignedSteps, payloadPairs, stepsOf, subjectsOf } from '../../../src/runs/compare/run-alignment.ts';
import { comparedRuns } from '../../fixtures/compared.ts';
import { historyOf } from '../../fixtures/history.ts';
import { encrypted } from '../../fixtures/payloads.ts';
import { FixtureRun } from '../../fixtures/run.ts';

const [first, second] = comparedRuns(Date.now()).map((run) => historyOf(run.events));
const ours = stepsOf(first!);
const theirs = stepsOf(second!);
const steps = alignedSteps(lineDiff(subjectsOf(ours), subjectsOf(theirs)).parts, ours, theirs);

/** The left or right payload of a pair. */
const side = (ref: string, scope: string) => ({ scope, stub: { ref } });

const runOf = (...names: string[]) => {
  const run = new FixtureRun({ workflowId: 'w' });
  for (const name of names) run.add('ActivityTaskScheduled', 0, { activityId: name, activityType: { name } });
  return stepsOf(historyOf(run.events));
};

describe('two runs’ steps', () => {
  test('are aligned by category and name, and include the steps that only one run has', () => {
    expect(steps.map(({ left, right }) => [left?.id, right?.id])).toEqual([
      [1, 1],
      [2, 2],
      [undefined, 5],
      [5, 8],
      [8, 11],
    ]);
  });

  test('are aligned at the ends of the runs, even if the runs ended differently', () => {
    const run = new FixtureRun({ workflowId: 'w', runId: 'r', type: 'T', taskQueue: 'q', start: 0 });
    run.add('WorkflowExecutionStarted', 0, { workflowType: { name: 'T' } });
    run.add('WorkflowExecutionFailed', 10, { failure: { message: 'No.' } });
    const failed = stepsOf(historyOf(run.events));
    const { parts } = lineDiff(subjectsOf(ours), subjectsOf(failed));
    const rows = alignedSteps(parts, ours, failed);
    expect(rows.map(({ left, right }) => [left?.id, right?.id])).toEqual([
      [1, 1],
      [2, undefined],
      [5, undefined],
      [8, 2],
    ]);
  });

  test('include a moved step only once, with the distance by which it moved', () => {
    const [left, right] = [
      runOf('Pay', 'Pack', 'Stamp', 'Ship'),
      runOf('Pack', 'Stamp', 'Ship', 'Pay', 'Rate'),
    ];
    const { parts } = lineDiff(subjectsOf(left), subjectsOf(right));
    const rows = alignedSteps(parts, left, right);
    expect(rows.map((row) => [row.left?.id, row.right?.id, row.moved])).toEqual([
      [1, 4, 3],
      [2, 1, undefined],
      [3, 2, undefined],
      [4, 3, undefined],
      [undefined, 5, undefined],
    ]);
  });

  test('pair their payloads by event type and path', () => {
    const pairs = payloadPairs(steps[3]!, 'ours', 'theirs');
    expect(pairs).toMatchObject([
      { title: 'Input', left: side('5:0', 'ours'), right: side('8:0', 'theirs') },
      { title: 'Result', left: side('7:0', 'ours'), right: side('10:0', 'theirs') },
    ]);
    expect(pairs.some(({ isRecord }) => isRecord)).toBe(false);
    expect(payloadPairs(steps[2]!, 'ours', 'theirs').every(({ left }) => left === undefined)).toBe(true);
  });
});

const local = (record: object) => {
  const run = new FixtureRun({ workflowId: 'w' });
  const details = { data: { payloads: [encrypted(record)] }, result: { payloads: [encrypted(record)] } };
  run.add('MarkerRecorded', 0, { markerName: 'core_local_activity', details });
  return stepsOf(historyOf(run.events))[0]!;
};
const payloadOf = (value: object) => ({
  metadata: { encoding: btoa('json/plain') },
  data: btoa(JSON.stringify(value)),
});

test('compares only the attempt in a local activity’s record, but every member of the activity’s result', () => {
  const before = { activity_type: 'price', attempt: 1, seq: 1, complete_time: { seconds: 5, nanos: 7 } };
  const after = { activity_type: 'price', attempt: 2, seq: 3, complete_time: { seconds: 9, nanos: 7 } };
  const pairs = payloadPairs({ left: local(before), right: local(after) }, 'ours', 'theirs');
  expect(
    pairs.map((pair) => [
      pair.title,
      pairDifferences(pair, payloadOf(before), payloadOf(after)).map(({ path }) => path),
    ]),
  ).toEqual([
    ['Details data', ['attempt']],
    ['Details result', ['attempt', 'seq', 'complete_time.seconds']],
  ]);
});

describe('the payloads that are offered for a comparison', () => {
  test('begin with the result of the payload’s own step if it is compared within the same run', () => {
    const [best] = payloadChoices(first!, positionOf(first!, payloadRefOf(5, 0)), true);
    expect(best).toMatchObject({ ref: '7:0', likeness: 'event' });
    const [result] = payloadChoices(first!, positionOf(first!, payloadRefOf(1, 0)), true);
    expect(result).toMatchObject({ ref: '8:0', likeness: 'event' });
  });

  test('begin with the corresponding payload if it is compared with another run', () => {
    const [best] = payloadChoices(second!, positionOf(first!, payloadRefOf(5, 0)), false);
    expect(best).toMatchObject({ ref: '8:0', likeness: 'place' });
  });
});
