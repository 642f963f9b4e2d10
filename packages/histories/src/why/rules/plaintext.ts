import { isFailure } from '../../events/outcome.ts';
import { plaintextFailures } from '../../failures/plaintext-failures.ts';
import type { Fact } from '../finding.ts';
import type { WhyRun } from '../run.ts';

/** How many failed steps are searched, the latest first. */
const MAX_SEARCHED = 200;

/** Failures that a program without the codec reported. */
export function failuresInPlaintext({ groups, details }: WhyRun): Fact[] {
  const ends = groups.filter(({ outcome }) => isFailure(outcome)).slice(-MAX_SEARCHED);
  const event = ends.map(({ events }) => events.at(-1)).find((end) => plaintextFailures(end?.attributes) > 0);
  return event !== undefined || plaintextFailures(details) > 0
    ? [{ eventId: event?.eventId, since: event?.at }]
    : [];
}
