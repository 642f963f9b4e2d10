import { describe, expect, it } from 'vitest';
import { explain } from '../../src/why/explain.ts';
import { type RuleId, rules } from '../../src/why/rules.ts';
import type { WhyRun } from '../../src/why/facts/run.ts';
import { failedCases } from './cases/failed.ts';
import { otherCases } from './cases/other.ts';
import { pendingCases } from './cases/pending.ts';
import { taskCases } from './cases/task.ts';
import { runOf, scheduled, started, timer } from './run.ts';

const cases: Readonly<Record<RuleId, readonly [run: WhyRun, found: object]>> = {
  ...failedCases,
  ...taskCases,
  ...pendingCases,
  ...otherCases,
};

describe('explain', () => {
  it.each(rules.map(({ id }) => id))('finds %s', (id) => {
    const [run, found] = cases[id];
    expect(explain(run).findings.find(({ rule }) => rule === id)).toMatchObject(found);
  });

  it('finds nothing in a run that completed without a failure', () => {
    const run = runOf([
      ...started,
      scheduled,
      ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 1 }],
      ['ActivityTaskCompleted', { scheduledEventId: '5' }],
      ['WorkflowTaskScheduled'],
      ['WorkflowTaskStarted', { scheduledEventId: '8' }],
      ['WorkflowTaskCompleted', { scheduledEventId: '8', startedEventId: '9' }],
      ['WorkflowExecutionCompleted', {}],
    ]);
    expect(explain(run)).toMatchObject({ state: 'fine', findings: [], refs: [] });
  });

  it('reports each step under only one rule', () => {
    for (const [id, [run]] of Object.entries(cases)) {
      const steps = explain(run).findings.filter(({ severity }) => severity !== 'note');
      const events = steps
        .map(({ place, eventId }) => place && eventId)
        .filter((event) => event !== undefined);
      expect([id, events]).toEqual([id, [...new Set(events)]]);
    }
  });

  it('keeps the first 20 findings of a rule, and counts the rest', () => {
    const many = runOf([...started, ...Array.from({ length: 2000 }, () => timer('90000s'))]);
    const { findings, more } = explain(many);
    expect([findings.length, more]).toEqual([20, { 'timer-open': 1980 }]);
  });
});
