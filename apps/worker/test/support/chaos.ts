import { expect } from 'vitest';
import { Checks } from '../chaos/checks.ts';
import type { Scenario, ScenarioOptions } from '../chaos/scenario.ts';

/** Options for a short run of the scenarios of `pnpm bench chaos`. */
const short: ScenarioOptions = {
  processes: 1,
  inFlight: 12,
  seconds: 8,
  keyLifetimeMs: 20_000,
  workflows: 1_000,
  seed: 1,
  faults: 1,
  minutes: 1,
  // The share is low, because the machine is busy with other tests, and only a few workflows complete in a
  // phase.
  keptThroughput: 0.4,
};

/** The factor by which time limits are extended, because other tests run at the same time. */
const SLOWDOWN = 3;

/** Runs a scenario, and expects every promise to be kept. */
export async function expectKept(scenario: Scenario, options: Partial<ScenarioOptions> = {}): Promise<void> {
  const progress: string[] = [];
  const checks = new Checks(scenario.name, (line) => progress.push(line), SLOWDOWN);
  try {
    await scenario(checks, { ...short, ...options });
  } catch (error) {
    throw new Error(`The scenario did not run to its end:\n${progress.join('\n')}`, { cause: error });
  }
  const broken = checks.all.filter(({ isKept }) => !isKept);
  const seen = broken.map((check) => `${check.promise}; seen: ${check.seen}`);
  expect(seen, [...seen, ...progress, ...checks.figures].join('\n')).toEqual([]);
  expect(checks.all.length).toBeGreaterThan(0);
}
