import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/why/explain.ts';
import type { WhyRun } from '../../../src/why/facts/run.ts';
import { chargedFor, type Recorded, runOf, START, started, timer } from '../run.ts';

const rulesOf = (run: WhyRun) => explain(run).findings.map(({ rule }) => rule);

describe('the rule slow', () => {
  it.each([
    ['took twice the median', 10, { count: 50, median: 7000, p95: 8000 }],
    ['is among the slowest 5 % of its type', 60, { count: 50, median: 7000, p95: 64_000 }],
    ['has too few completed runs to compare with', 60, { count: 2, median: 7000, p95: 8000 }],
  ])('does not report a run that %s', (_, seconds, usual) => {
    expect(rulesOf(runOf(chargedFor(seconds), { usual }))).toEqual([]);
  });

  it('measures an open run until now, along the path to the step that the run waits for', () => {
    const run = runOf([...started, timer('900s')], { usual: { count: 9, median: 20_000, p95: 30_000 } });
    expect(explain({ ...run, now: START + 41_000 })).toMatchObject({
      state: 'waits',
      findings: [
        { rule: 'timer-open' },
        { title: 'Slower than usual: 41 s, median 20 s of the last 9 runs' },
      ],
    });
    expect(rulesOf({ ...run, now: START + 40_000 })).toEqual(['timer-open']);
  });

  it.each([
    ['messages', {}],
    ['its delayed start or for messages', { firstWorkflowTaskBackoff: '60s' }],
  ])('names no step if a slow run waited for %s', (what, attributes) => {
    const steps = [{ group: 0, work: 0, queue: 0, retry: 0, idle: 60_000 }];
    const usual = { count: 9, median: 1, p95: 2, path: { steps } };
    const recorded: Recorded[] = [['WorkflowExecutionStarted', attributes], ...chargedFor(60).slice(1)];
    const [found] = explain(runOf(recorded, { usual })).findings;
    expect(found).toMatchObject({ rule: 'slow', detail: `The run waited 1 min for ${what}.` });
    expect(found).not.toHaveProperty('place');
  });
});
