import type { RuleId } from '../../../src/why/rules.ts';
import type { WhyRun } from '../../../src/why/facts/run.ts';

/** Rules, each with a run to which the rule applies and the expected finding. */
export type Cases = Readonly<Partial<Record<RuleId, readonly [run: WhyRun, found: object]>>>;
