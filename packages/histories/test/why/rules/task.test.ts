import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/why/explain.ts';
import { type Recorded, runOf, started, taskFails } from '../run.ts';

describe('the rules about the workflow task', () => {
  it('does not report a failed workflow task if a reset wrote it, or if a later task completed', () => {
    expect(explain(runOf(taskFails('RESET_WORKFLOW'))).state).toBe('waits');
    const recovered = runOf([
      ...taskFails('UNHANDLED_COMMAND'),
      ['WorkflowTaskScheduled'],
      ['WorkflowTaskStarted', { scheduledEventId: '8' }],
      ['WorkflowTaskCompleted', { scheduledEventId: '8', startedEventId: '9' }],
    ]);
    expect(explain(recovered).state).toBe('waits');
  });

  it('does not report a task as timing out if the worker with the sticky task queue stopped', () => {
    const after: Recorded[] = [
      ...started,
      ['WorkflowTaskScheduled', { taskQueue: { name: 'sticky', kind: 'TASK_QUEUE_KIND_STICKY' } }],
      ['WorkflowTaskTimedOut', { scheduledEventId: '5', timeoutType: 'TIMEOUT_TYPE_SCHEDULE_TO_START' }],
      ['WorkflowTaskScheduled', { taskQueue: { name: 'orders' } }],
    ];
    const queues = [{ name: 'orders', kind: 'workflow', polling: false }] as const;
    expect(explain(runOf(after, { queues })).findings).toMatchObject([
      { rule: 'task-not-taken', eventId: 7, detail: 'No worker is polling the task queue.' },
    ]);
    const taken = runOf([...after, ['WorkflowTaskStarted', { scheduledEventId: '7' }]], { queues });
    expect(explain(taken)).toMatchObject({
      state: 'waits',
      findings: [{ title: 'Workflow task in progress' }],
    });
  });

  it('reports a task as open, but not as lacking a worker, if the description does not contain the task', () => {
    const queues = [{ name: 'orders', kind: 'workflow', polling: false }] as const;
    const run = runOf([...started, ['WorkflowTaskScheduled']], { queues, details: {} });
    expect(explain(run).findings).toMatchObject([{ rule: 'task-open', eventId: 5 }]);
  });
});
