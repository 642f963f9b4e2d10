import { isFailure } from '../../events/outcome.ts';
import { plaintextFailures } from '../../failures/plaintext-failures.ts';
import type { Fact } from '../facts/finding.ts';
import type { WhyRun } from '../facts/run.ts';

/** Maximum number of failed steps to search. If there are more, only the latest steps are searched. */
const MAX_SEARCHED = 200;

/** Reports failures that a program without the codec stored in plaintext. */
export function failuresInPlaintext({ groups, details }: WhyRun): Fact[] {
  const ends = groups.filter(({ outcome }) => isFailure(outcome)).slice(-MAX_SEARCHED);
  const event = ends.map(({ events }) => events.at(-1)).find((end) => plaintextFailures(end?.attributes) > 0);
  return event !== undefined || plaintextFailures(details) > 0
    ? [{ eventId: event?.eventId, since: event?.at }]
    : [];
}
