import type { Attributes } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { causeOf } from '../../src/why/facts/cause.ts';
import { causeOfEnd, decisiveEvent } from '../../src/why/end-cause.ts';
import { explain } from '../../src/why/explain.ts';
import { fingerprint, whyOneGroup } from '../../src/why/fingerprint.ts';
import { groupCauses } from '../../src/why/group-causes.ts';
import { allLocked } from '../../src/why/facts/run.ts';
import { corpusCauses, corpusRun } from './corpus.ts';
import { drawFrom } from './random.ts';
import { activityFailure, application, reading, type Recorded, runOf, started, taskFails } from './run.ts';

const HOUR = 3_600_000;
const print = (type: string) =>
  fingerprint(
    {
      type,
      timeout: undefined,
      places: [],
      frames: [],
      message: { status: 'readable', text: 'x', encrypted: false },
    },
    undefined,
  );
const run = (runId: string, type: string, at: number, build?: string) => ({
  runId,
  fingerprint: print(type),
  at,
  build,
});

/** Returns the positions and heights of the bars that are not empty. */
const filled = (bars: readonly number[]) =>
  bars.flatMap((count, index) => (count > 0 ? [[index, count]] : []));

describe('groupCauses', () => {
  it('groups the runs of a synthetic corpus by their causes, the largest group first', () => {
    const draw = drawFrom(7);
    const runs = corpusCauses.flatMap((cause, label) =>
      Array.from({ length: 100 }, (_, n) => {
        const { failure, read } = corpusRun(cause, draw);
        const found = causeOf(failure, { groups: [], read })!;
        return { runId: `${label}-${n}`, label, fingerprint: fingerprint(found, 'order'), at: n * 1000 };
      }),
    );
    const groups = groupCauses(runs);
    const sizes = groups.map((group) => group.runs.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2100);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    for (const group of groups) expect(new Set(group.runs.map(({ label }) => label)).size).toBe(1);
  });

  it('returns the count, the first and last time, bars over the whole time window, and the builds', () => {
    const groups = groupCauses([
      run('1', 'A', 0, 'v1'),
      run('2', 'A', 12 * HOUR, 'v2'),
      run('3', 'A', 24 * HOUR, 'v2'),
      run('4', 'B', 6 * HOUR),
    ]);
    const [a, b] = groups;
    expect(a).toMatchObject({
      first: 0,
      last: 24 * HOUR,
      builds: [
        { name: 'v2', runs: 2 },
        { name: 'v1', runs: 1 },
      ],
      isNew: false,
    });
    expect(a!.runs.map(({ runId }) => runId)).toEqual(['3', '2', '1']);
    expect(a!.bars).toHaveLength(24);
    expect(filled(a!.bars)).toEqual([
      [0, 1],
      [12, 1],
      [23, 1],
    ]);
    expect(filled(b!.bars)).toEqual([[6, 1]]);
    expect(b).toMatchObject({ builds: [], first: 6 * HOUR, last: 6 * HOUR });
  });

  it('marks a cause as new if it occurs only in the last quarter of the window', () => {
    const groups = groupCauses([
      run('1', 'old', 0),
      run('2', 'old', 10 * HOUR),
      run('3', 'new', 8 * HOUR),
      run('4', 'edge', 7.5 * HOUR),
    ]);
    expect(groups.filter(({ isNew }) => isNew).map(({ parts }) => parts.type)).toEqual(['new']);
    expect(groupCauses([run('1', 'only', 5)])[0]).toMatchObject({ isNew: false });
  });

  it('counts a run once, even if the input contains the run twice', () => {
    const groups = groupCauses([run('1', 'A', 1), run('1', 'A', 1)]);
    expect(groups[0]!.runs).toHaveLength(1);
  });

  it('keeps fingerprints of different versions apart', () => {
    const older = run('1', 'A', 1);
    const id = older.fingerprint.id.replace('5-', '1-');
    const groups = groupCauses([
      run('2', 'A', 2),
      { ...older, fingerprint: { ...older.fingerprint, id, version: 1 } },
    ]);
    expect(groups).toHaveLength(2);
  });

  it('returns no groups if there are no runs', () => {
    expect(groupCauses([])).toEqual([]);
  });
});

describe('whyOneGroup', () => {
  it('lists what all failures in a group have in common', () => {
    expect(whyOneGroup(print('A').parts)).toEqual([
      'the same type: A',
      'the same place: workflow code',
      'the same frames: none',
      'the same message: x',
    ]);
  });
});

const endedAs = (eventName: string, attributes = {}) => causeOfEnd({ eventName, attributes }, allLocked);

const long = (text: string) => `${text}${'\u200b'.repeat(200_000)}`;

describe('causeOfEnd', () => {
  const failed = {
    eventName: 'WorkflowExecutionFailed',
    attributes: { failure: activityFailure(application('CardDeclined', '', {}, '9:0')) },
  };

  it('finds the root cause and its step from the last event alone', () => {
    const read = reading({ '9:0': { message: 'Card 4242 was declined', stack_trace: '' } });
    expect(causeOfEnd(failed, read)).toMatchObject({
      type: 'CardDeclined',
      message: { status: 'readable', text: 'Card 4242 was declined' },
      places: [{ kind: 'activity', name: 'charge' }],
    });
    expect(causeOfEnd(failed, allLocked)).toMatchObject({ message: { status: 'locked', ref: '9:0' } });
  });

  it('finds the cause of a failed run that Temporal has started again', () => {
    const again = { ...failed, eventName: 'WorkflowExecutionContinuedAsNew' };
    expect(causeOfEnd(again, allLocked)).toEqual(causeOfEnd(failed, allLocked));
    expect(endedAs('WorkflowExecutionContinuedAsNew')).toBeUndefined();
  });

  it('gives a local activity’s failure the same fingerprint as the explanation of the whole history', () => {
    const failure = activityFailure(application('CardDeclined', 'x'), 0);
    const marker = {
      markerName: 'core_local_activity',
      details: {},
      failure: application('CardDeclined', 'x'),
    };
    const { groups } = runOf([...started, ['MarkerRecorded', marker]]);
    const whole = causeOf(failure, { groups, read: allLocked })!;
    expect(whole.places[0]!.kind).toBe('local');
    const alone = causeOfEnd({ eventName: 'WorkflowExecutionFailed', attributes: { failure } }, allLocked)!;
    expect(fingerprint(alone, 'order').id).toBe(fingerprint(whole, 'order').id);
  });

  it('gives a failure of the workflow’s code the same fingerprint as the explanation', () => {
    const end = { eventName: 'WorkflowExecutionFailed', attributes: { failure: application('Bug', 'x') } };
    const [finding] = explain(runOf([...started, [end.eventName, end.attributes]])).findings;
    const { id, parts } = fingerprint(causeOfEnd(end, allLocked)!, 'order');
    expect([parts.place, finding!.fingerprint]).toEqual(['workflow order', id]);
  });

  it('gives a failing workflow task the same fingerprint as the explanation', () => {
    const failing = { eventName: 'WorkflowTaskFailed', attributes: { failure: application('Bug', 'x') } };
    const [finding] = explain(runOf([...started, [failing.eventName, failing.attributes]])).findings;
    expect(finding!.fingerprint).toBe(fingerprint(causeOfEnd(failing, allLocked)!, 'order').id);
    expect(endedAs('WorkflowTaskTimedOut')).toMatchObject({ type: 'WorkflowTaskTimedOut' });
    expect(
      endedAs('WorkflowTaskTimedOut', { timeoutType: 'TIMEOUT_TYPE_SCHEDULE_TO_START' }),
    ).toBeUndefined();
    expect(endedAs('WorkflowTaskCompleted')).toBeUndefined();
    expect(
      endedAs('WorkflowTaskFailed', { cause: 'WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW' }),
    ).toBeUndefined();
  });

  const again: Recorded = ['WorkflowTaskScheduled', { attempt: 2 }];
  it.each<[what: string, before: Recorded[], type: string]>([
    ['whose workflow task failed', [...taskFails('OTHER', application('Bug', 'x')), again], 'Bug'],
    ['whose workflow task no worker took', [started[0]!, again], 'WorkflowTaskNotTaken'],
    ['whose workflow task a worker held', taskFails('FORCE_CLOSE_COMMAND'), ''],
    ['that waited for a message', [...started], ''],
  ])('finds the cause of a run %s until the run timed out or was terminated', (_, before, type) => {
    for (const end of ['TimedOut', 'Terminated']) {
      const ended = runOf([...before, [`WorkflowExecution${end}`, {}, 3600]]);
      const cause = causeOfEnd(decisiveEvent(ended.events)!, allLocked)!;
      expect(cause.type).toBe(type || `Workflow${end}`);
      const known = explain(ended).findings.find(({ fingerprint: id }) => id)?.fingerprint;
      if (type === 'Bug') expect(fingerprint(cause, 'order').id).toBe(known);
    }
  });

  it.each<[what: string, end: Recorded]>([
    ['soon after its workflow task was scheduled', ['WorkflowExecutionTerminated']],
    ['with a reason', ['WorkflowExecutionTerminated', { reason: 'duplicate' }, 3600]],
  ])('does not blame the workflow task of a run that was terminated %s', (_, end) => {
    const { events } = runOf([...started, again, end]);
    expect(decisiveEvent(events)?.eventName).toBe('WorkflowExecutionTerminated');
  });

  it('reads only the beginning and the end of long strings', () => {
    const trace = `    at capture (/srv/app/capture.ts:88:11)\n${long('')}`;
    const failure = application(long('CardDeclined'), long('declined'), { stackTrace: trace });
    const one = causeOfEnd({ eventName: 'WorkflowExecutionFailed', attributes: { failure } }, allLocked)!;
    expect(one).toMatchObject({
      type: expect.stringMatching(/^CardDeclined/),
      message: { text: expect.stringMatching(/^declined/) },
      frames: [{ call: 'capture' }],
    });
    expect(JSON.stringify(one).length).toBeLessThan(1_000_000);
    const cause = Array.from({ length: 60 }).reduce<Attributes>(
      (inner) => ({ ...failure, cause: inner }),
      failure,
    );
    const many = causeOfEnd(
      { eventName: 'WorkflowExecutionFailed', attributes: { failure: cause } },
      allLocked,
    );
    expect(JSON.stringify(many).length).toBeLessThan(1_000_000);
  });

  it('returns the same root cause for a long chain as the explanation of the whole history', () => {
    // A Java stack trace of a service has about this size.
    const calls = '\tat org.springframework.cglib.proxy.MethodProxy.invoke(MethodProxy.java:218)\n'.repeat(
      75,
    );
    const level = (type: string, cause?: Attributes) =>
      application(type, `${type} failed`, {
        stackTrace: `${type}\n\tat shop.${type}.run(${type}.java:88)\n${calls}`,
        ...(cause && { cause }),
      });
    const failure = Array.from({ length: 11 }).reduce<Attributes>(
      (cause, _, n) => level(`Level${n}`, cause),
      level('Root'),
    );
    const cause = causeOfEnd({ eventName: 'WorkflowExecutionFailed', attributes: { failure } }, allLocked);
    expect(cause).toMatchObject({ type: 'Root', message: { text: 'Root failed' } });
    expect(cause).toEqual(causeOf(failure, { groups: [], read: allLocked }));
  });

  it('returns a type for a run that timed out, was terminated, or failed without a recorded failure', () => {
    expect(endedAs('WorkflowExecutionTimedOut')).toMatchObject({ type: 'WorkflowTimedOut', refs: [] });
    expect(endedAs('WorkflowExecutionTerminated', { reason: 'bad deploy' })).toMatchObject({
      type: 'WorkflowTerminated',
      message: { status: 'readable', text: 'bad deploy', encrypted: false },
    });
    expect(endedAs('WorkflowExecutionFailed')).toMatchObject({ type: 'WorkflowFailed' });
    expect(endedAs('WorkflowExecutionCompleted')).toBeUndefined();
    expect(endedAs('WorkflowExecutionCanceled')).toBeUndefined();
  });
});
