import { describe, expect, it } from 'vitest';
import { groupEvents, type RunEvent } from '../../src/events/groups.ts';
import { criticalPath } from '../../src/why/facts/critical-path.ts';
import { type Draw, drawFrom } from './random.ts';
import { runOf, type Recorded, scheduled, signal, START, started, taskFails } from './run.ts';

const seconds = (parts: ReturnType<typeof criticalPath>['parts']) =>
  parts.map(({ kind, group, from, to }) => [kind, group, (from - START) / 1000, (to - START) / 1000]);
const pathOf = (recorded: readonly Recorded[], parts = {}) => criticalPath(runOf(recorded, parts));

/** An activity that is scheduled when the first workflow task completes. */
const begun: Recorded = [scheduled[0], scheduled[1] ?? {}, 3];

const task = (at: number, id: number): Recorded[] => [
  ['WorkflowTaskScheduled', {}, at],
  ['WorkflowTaskStarted', { scheduledEventId: String(id) }, at + 1],
  ['WorkflowTaskCompleted', { scheduledEventId: String(id), startedEventId: String(id + 1) }, at + 2],
];

describe('criticalPath', () => {
  it("contains an activity's work, queueing and retries, and the workflow tasks around the activity", () => {
    const path = pathOf([
      ...started, // task 2: from 1 to 3
      begun, // 5
      ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 3 }, 20],
      ['ActivityTaskCompleted', { scheduledEventId: '5' }, 50],
      ...task(51, 8),
      ['WorkflowExecutionCompleted', { workflowTaskCompletedEventId: '10' }, 53],
    ]);
    expect(seconds(path.parts)).toEqual([
      ['queue', 2, 0, 2],
      ['work', 2, 2, 3],
      ['retry', 5, 3, 20],
      ['work', 5, 20, 50],
      ['queue', 8, 50, 52],
      ['work', 8, 52, 53],
    ]);
    expect(path.steps.find(({ group }) => group === 5)).toEqual({
      group: 5,
      work: 30_000,
      queue: 0,
      retry: 17_000,
      idle: 0,
    });
  });

  it('leaves out parallel steps that ended earlier', () => {
    const other: Recorded = [
      'ActivityTaskScheduled',
      { activityId: '2', workflowTaskCompletedEventId: '4' },
      3,
    ];
    const path = pathOf([
      ...started,
      begun, // 5
      other, // 6
      ['ActivityTaskStarted', { scheduledEventId: '6', attempt: 1 }, 5],
      ['ActivityTaskCompleted', { scheduledEventId: '6' }, 10],
      ...task(10, 9),
      ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 1 }, 5],
      ['ActivityTaskCompleted', { scheduledEventId: '5' }, 90],
      ...task(90, 14),
      ['WorkflowExecutionCompleted', { workflowTaskCompletedEventId: '16' }, 92],
    ]);
    expect(path.steps.map(({ group }) => group)).toEqual([2, 5, 14]);
    expect(path.total).toMatchObject({ work: 1000 + 85_000 + 1000, idle: 0 });
  });

  it('counts waits for a timer, a signal or an update as idle', () => {
    const timer: Recorded = [
      'TimerStarted',
      { timerId: '1', startToFireTimeout: '60s', workflowTaskCompletedEventId: '4' },
      3,
    ];
    const path = pathOf([
      ...started,
      timer, // 5
      ['TimerFired', { startedEventId: '5' }, 63],
      ...task(63, 7), // to 65
      ['WorkflowExecutionSignaled', { signalName: 'go' }, 100],
      ...task(100, 11), // to 102
      ...task(200, 14), // triggered by an update, which has no earlier event
      ['WorkflowExecutionCompleted', { workflowTaskCompletedEventId: '16' }, 202],
    ]);
    expect(seconds(path.parts).filter(([kind]) => kind === 'idle')).toEqual([
      ['idle', 5, 3, 63],
      ['idle', 0, 65, 100],
      ['idle', 0, 102, 200],
    ]);
  });

  it.each([
    ['', []],
    [' with a signal during the delay', [signal]],
  ])('counts a delay of the first workflow task as idle%s', (_, during) => {
    const id = 2 + during.length;
    const path = pathOf([
      ['WorkflowExecutionStarted', { firstWorkflowTaskBackoff: '3600s' }],
      ...during,
      ...task(3605, id).map((event, index): Recorded => (index === 0 ? [event[0], {}, 3600] : event)),
      ['WorkflowExecutionCompleted', { workflowTaskCompletedEventId: String(id + 2) }, 3607],
    ]);
    expect(path.total).toEqual({ work: 1000, queue: 6000, retry: 0, idle: 3_600_000 });
  });

  it('counts failed workflow tasks and the pauses after them as retries', () => {
    const path = pathOf([
      ...started,
      ['WorkflowExecutionSignaled', {}, 10],
      ['WorkflowTaskScheduled', {}, 10],
      ['WorkflowTaskStarted', { scheduledEventId: '6' }, 11],
      ['WorkflowTaskFailed', { scheduledEventId: '6' }, 12],
      ...task(60, 9),
      ['WorkflowExecutionCompleted', { workflowTaskCompletedEventId: '11' }, 62],
    ]);
    expect(path.total).toEqual({ work: 2000, queue: 3000, retry: 50_000, idle: 7000 });
  });

  it.each(['WorkflowExecutionTimedOut', 'WorkflowExecutionTerminated', 'WorkflowExecutionSignaled'])(
    'contains the step that the run waited for until %s, even if a timer began later',
    (end) => {
      const timer: Recorded = ['TimerStarted', { timerId: '1', workflowTaskCompletedEventId: '4' }, 3];
      const path = pathOf([...started, begun, timer, [end, {}, 3600]], { now: START + 3_600_000 });
      expect(path.total).toEqual({ work: 3_598_000, queue: 2000, retry: 0, idle: 0 });
      expect(path.steps.map(({ group }) => group)).toEqual([2, 5]);
    },
  );

  it('counts the failing workflow task of a terminated run as retries', () => {
    const path = pathOf([...taskFails('UNHANDLED'), ['WorkflowExecutionTerminated', {}, 100]]);
    expect(path.total).toEqual({ work: 1000, queue: 2000, retry: 90_000, idle: 7000 });
  });

  it('ends at the present time for an open run, and at the last event for a terminated run', () => {
    const now = START + 100_000;
    expect(pathOf([...started, begun], { now }).total).toMatchObject({ work: 98_000 });
    expect(pathOf(started, { now }).total).toMatchObject({ idle: 97_000 });
    const ended = pathOf([...started, ['WorkflowExecutionTerminated', {}, 40]], { now });
    expect(ended.total).toEqual({ work: 1000, queue: 2000, retry: 0, idle: 37_000 });
    expect(criticalPath({ events: [], groups: [], now }).parts).toEqual([]);
  });
});

/** Returns a run with several stages of parallel activities, and the times of its critical path. */
function staged(d: Draw, stages: number) {
  const recorded: Recorded[] = [['WorkflowExecutionStarted', {}, 0]];
  const expected = { work: 0, queue: 0, retry: 0, idle: 0 };
  const longest: number[] = [];
  let at = 0;
  const addTask = () => {
    const [queue, work] = [d.whole(0, 3), d.whole(1, 3)];
    const id = recorded.length + 1;
    recorded.push(
      ['WorkflowTaskScheduled', {}, at],
      ['WorkflowTaskStarted', { scheduledEventId: String(id) }, at + queue],
    );
    recorded.push([
      'WorkflowTaskCompleted',
      { scheduledEventId: String(id), startedEventId: String(id + 1) },
      at + queue + work,
    ]);
    at += queue + work;
    expected.queue += queue;
    expected.work += work;
    return recorded.length;
  };
  let decided = addTask();
  for (let stage = 0; stage < stages; stage += 1) {
    const ends = d.whole(1, 5);
    const from = at;
    const activities = Array.from({ length: ends }, (_, index) => {
      const queue = d.whole(0, 40);
      // No two activities end at the same time, so that there is only one critical path.
      return {
        attempt: d.one([1, 1, 2, 5]),
        queue,
        end: from + queue + d.whole(1, 40) * 10 + index,
        id: recorded.length + 1 + index,
      };
    });
    for (const { id } of activities)
      recorded.push([
        'ActivityTaskScheduled',
        { activityId: String(id), workflowTaskCompletedEventId: String(decided) },
        from,
      ]);
    const inOrder = activities.toSorted((a, b) => a.end - b.end);
    for (const { id, attempt, queue, end } of inOrder) {
      recorded.push(['ActivityTaskStarted', { scheduledEventId: String(id), attempt }, from + queue]);
      recorded.push(['ActivityTaskCompleted', { scheduledEventId: String(id) }, end]);
    }
    const last = inOrder.at(-1)!;
    longest.push(last.id);
    expected.work += last.end - from - last.queue;
    expected[last.attempt > 1 ? 'retry' : 'queue'] += last.queue;
    at = last.end;
    decided = addTask();
  }
  recorded.push(['WorkflowExecutionCompleted', { workflowTaskCompletedEventId: String(decided) }, at]);
  return { recorded, expected, longest, end: at };
}

describe('criticalPath of random runs', () => {
  it('equals the path from which the run was generated, without gaps from start to end', () => {
    for (let seed = 0; seed < 100; seed += 1) {
      const d = drawFrom(seed);
      const { recorded, expected, longest, end } = staged(d, d.whole(0, 20));
      const { parts, steps, total } = pathOf(recorded);
      expect(total).toEqual(
        Object.fromEntries(Object.entries(expected).map(([kind, s]) => [kind, s * 1000])),
      );
      const activities = steps
        .map(({ group }) => group)
        .filter((id) => recorded[id - 1]![0] === 'ActivityTaskScheduled');
      expect(activities).toEqual(longest);
      expect([parts[0]!.from, parts.at(-1)!.to]).toEqual([START, START + end * 1000]);
      for (const [index, part] of parts.entries())
        if (index > 0) expect(part.from).toBe(parts[index - 1]!.to);
    }
  });

  it('reads the attributes of only a few of 51,200 events', () => {
    const { recorded } = staged(drawFrom(1), 5000);
    const all = runOf(recorded).events.slice(0, 51_200);
    const groups = groupEvents(all);
    let read = 0;
    const counted = all.map((event): RunEvent => ({
      ...event,
      get attributes() {
        read += 1;
        return event.attributes;
      },
    }));
    const byId = groups.map((group) => {
      const [head, ...followers] = group.events.map(({ eventId }) => counted[eventId - 1]!);
      return { ...group, events: [head!, ...followers] as const };
    });
    const { steps } = criticalPath({ events: counted, groups: byId, now: START });
    expect(steps.length).toBeGreaterThan(5000);
    expect(read).toBeLessThan(steps.length * 2);
  });
});
