import type { WorkflowStatus } from '@temporal-kms/codec-api';
import { isFailure, type Outcome } from '@temporal-kms/histories/events';
import type { StackFrame } from '@temporal-kms/histories/failures';
import { type Finding, placeText, verbOfNext, wordOfSince } from '@temporal-kms/histories/why';
import { formatTicking } from '../../ui/format/duration.ts';
import { formatCount, plural } from '../../ui/format/number.ts';
import { formatMoment, type TimeFormat } from '../../ui/format/time.ts';
import type { Group } from '../events/history.ts';
import { outcomeOf } from '../outcome.ts';

interface Moment {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly format: TimeFormat;
}

/** Returns whether the failure's message can introduce the finding. For the codec's errors, the finding's title says more. */
export const leadsWithCause = ({ cause, rule }: Finding): boolean =>
  cause !== undefined && !rule.startsWith('codec-');

/**
 * Returns the facts about a finding that follow its message, most important first: the step with its current
 * and next attempt, the application's frame, the queue, and since when. The frame may belong to an inner
 * step, such as a child's activity.
 */
export function factsOf(finding: Finding, { now, format }: Moment): string[] {
  const { rule, title, cause, place, detail, attempt, maximumAttempts, nextAt, queue, since } = finding;
  const [frame] = cause?.frames ?? [];
  const facts = [
    leadsWithCause(finding) && rule !== 'run-failed' ? title : undefined,
    place && (cause ? `in ${placeText(place)}` : placeText(place)),
    attempt === undefined ? undefined : attemptText(attempt, maximumAttempts),
    place?.retryState,
    nextAt === undefined ? undefined : nextText(nextAt, Math.max(now, since ?? now), verbOfNext(finding)),
    frame && `at ${frameText(frame)}`,
    queue && `queue ${queue}`,
    ...(detail?.split(/(?<=\.) (?=Reason: )/) ?? []),
    since === undefined
      ? undefined
      : `${wordOfSince(finding)} ${formatMoment(since, format, now)}`.replaceAll(' ', '\u00a0'),
  ];
  return facts.filter((fact): fact is string => Boolean(fact)).map(asPart);
}

/**
 * Returns a sentence as part of a line: without its full stop, and with a lower-case first letter unless it
 * begins with a name.
 */
const asPart = (fact: string): string =>
  fact
    .replace(/\.$/, '')
    .replace(/^(?!Cloud|Nexus|Temporal)[A-Z](?=[a-z]*[ :])/, (first) => first.toLowerCase());

const attemptText = (attempt: number, most: number | undefined): string =>
  `attempt ${formatCount(attempt)}${most ? ` of ${formatCount(most)}` : ''}`;

/** Returns the call and the file name without folders: `capturePayment (payments.ts:88)`. */
export function frameText({ call, place }: StackFrame): string {
  const file = place.split(/[\\/]/).at(-1) ?? place;
  return call === '' ? file : `${call} (${file})`;
}

function nextText(at: number, now: number, verb: string | undefined): string {
  // Rounds up, so that a wait that has not ended shows at least a second.
  const wait = formatTicking(Math.abs(at - now) + (at > now ? 999 : 0));
  if (at > now) return `${verb ?? 'next try'} in ${wait}`;
  if (verb === undefined) return 'next try due';
  return now - at < 1000 ? 'due now' : `due for ${wait}`;
}

/** Rules about work that is waiting and has not failed. */
const waiting: ReadonlySet<string> = new Set([
  'run-paused',
  'activity-paused',
  'task-not-taken',
  'activity-not-taken',
  'timer-overdue',
]);

/** Rules about steps that have failed and that Temporal will try again. */
const retrying: ReadonlySet<string> = new Set(['activity-retries', 'nexus-retries']);

/** Returns the outcome that determines a finding's colour and glyph. */
export function outcomeOfFinding({ severity, rule }: Finding, status: WorkflowStatus): Outcome {
  if (severity === 'failed') return outcomeOf(status);
  if (severity === 'stuck') return waiting.has(rule) ? 'paused' : retrying.has(rule) ? 'pending' : 'failed';
  // A run that continues or completes has handled the failures of its steps.
  return rule === 'failed-steps' && isFailure(outcomeOf(status)) ? 'failed' : 'neutral';
}

/**
 * Returns a sentence about the workflow tasks that failed, which are rows of the history but not steps:
 * ` 1 workflow task timed out, #17.`. Returns an empty text if no workflow task failed.
 */
export function failedTasksText({
  groups,
}: {
  groups: readonly Pick<Group, 'id' | 'category' | 'outcome'>[];
}): string {
  const failed = groups.filter(({ category, outcome }) => category === 'task' && isFailure(outcome));
  const [first] = failed;
  if (first === undefined) return '';
  const verb = failed.every(({ outcome }) => outcome === 'timed-out') ? 'timed out' : 'failed';
  return ` ${plural(failed.length, 'workflow task')} ${verb}, ${failed.length > 1 ? 'first ' : ''}#${first.id}.`;
}

/** Returns the types of the failures, from the outermost to the root cause: `ActivityFailure › CardDeclined`. */
export const breadcrumb = ({ cause }: Finding): string =>
  cause === undefined || cause.wrappers.length === 0 ? '' : [...cause.wrappers, cause.type].join(' › ');
