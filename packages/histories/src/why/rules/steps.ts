import type { Category } from '../../events/event-kinds.ts';
import type { EventGroup, RunEvent } from '../../events/groups.ts';
import { isFailure } from '../../events/outcome.ts';
import { textAt } from '../../events/proto-json.ts';
import type { Fact } from '../facts/finding.ts';
import type { WhyRun } from '../facts/run.ts';
import { causeOf, failureOf } from '../facts/cause.ts';
import { stepOf } from '../facts/step.ts';
import { codecErrors, failed } from './failed.ts';
import { counted, inWords } from '../facts/words.ts';

/**
 * The categories that count as steps: what the workflow code scheduled, and the messages that it received.
 */
const steps: ReadonlySet<Category> = new Set([
  'activity',
  'local',
  'timer',
  'child',
  'external',
  'signal',
  'update',
  'nexus',
]);

/**
 * If the only failure is the one that ended the run, it is summarized only in a run with at least this many
 * steps.
 */
const MANY_STEPS = 20;
/** Maximum number of failed steps that the text names. */
const MAX_NAMED = 3;

/**
 * Summarizes the failures of individual steps, which the workflow code may have handled:
 * `1 failure in 781 steps, #2722`.
 */
export function failedSteps(run: WhyRun): Fact[] {
  const all = run.groups.filter(({ category }) => steps.has(category));
  const bad = all.filter(({ outcome }) => isFailure(outcome));
  const [first] = bad;
  if (first === undefined) return [];
  const rest = bad.length - MAX_NAMED;
  const named = bad
    .slice(0, MAX_NAMED)
    .map(endOf)
    .map(({ eventId, attributes }) => `#${eventId}${refusal(attributes)}`)
    .join(', ');
  const end = endOf(first);
  const { place, refs } = stepOf(first, run);
  // The failure that ended the run has a separate finding.
  const isKnown = [...failed(run), ...codecErrors('ended')(run)].some(
    (fact) => fact.place?.eventId === end.eventId,
  );
  if (isKnown && bad.length === 1 && all.length < MANY_STEPS) return [];
  return [
    {
      title: `${counted(bad.length, 'failure')} in ${counted(all.length, 'step')}`,
      detail: `${named}${rest > 0 ? ` and ${rest} more` : ''}`,
      eventId: end.eventId,
      since: end.at,
      ...(isKnown ? {} : { place, refs, cause: causeOf(failureOf(end.attributes), run) }),
    },
  ];
}

const endOf = ({ events }: EventGroup): RunEvent => events.at(-1) ?? events[0];

/**
 * Returns why Temporal did not start a child workflow or deliver a message, in parentheses, such as
 * ` (workflow already exists)`. Returns an empty string for other failures.
 */
function refusal(attributes: unknown): string {
  const [, cause = 'UNSPECIFIED'] = textAt(attributes, 'cause')?.split('_FAILED_CAUSE_') ?? [];
  return cause === 'UNSPECIFIED' ? '' : ` (${inWords(cause)})`;
}
