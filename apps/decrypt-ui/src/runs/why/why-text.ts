import type { WorkflowStatus } from '@temporal-kms/codec-api';
import type { Outcome } from '@temporal-kms/histories/events';
import type { StackFrame } from '@temporal-kms/histories/failures';
import { type Finding, placeText } from '@temporal-kms/histories/why';
import { formatTicking } from '../../ui/format/duration.ts';
import { formatCount } from '../../ui/format/number.ts';
import { formatMoment, type TimeFormat } from '../../ui/format/time.ts';
import { outcomeOf } from '../outcome.ts';

interface Moment {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly format: TimeFormat;
}

/** Whether a failure explains the finding by itself. The codec's errors have a title that says more than their message. */
export const leadsWithCause = ({ cause, rule }: Finding): boolean =>
  cause !== undefined && !rule.startsWith('codec-');

/**
 * What the card says of a finding after its message, the most important first: the step, the application's frame, the
 * attempt and the next one, the queue, and since when.
 */
export function factsOf(finding: Finding, { now, format }: Moment): string[] {
  const { rule, title, cause, place, detail, attempt, maximumAttempts, nextAt, queue, since } = finding;
  const [frame] = cause?.frames ?? [];
  const facts = [
    leadsWithCause(finding) && rule !== 'run-failed' ? title : undefined,
    place && (cause ? `in ${placeText(place)}` : placeText(place)),
    frame && `at ${frameText(frame)}`,
    attempt === undefined ? undefined : attemptText(attempt, maximumAttempts),
    place?.retryState,
    nextAt === undefined ? undefined : nextText(nextAt, now, rule.startsWith('timer')),
    queue && `queue ${queue}`,
    detail,
    since === undefined ? undefined : `since ${formatMoment(since, format, now)}`,
  ];
  return facts.filter((fact): fact is string => Boolean(fact)).map((fact) => fact.replace(/\.$/, ''));
}

const attemptText = (attempt: number, most: number | undefined): string =>
  `attempt ${formatCount(attempt)}${most ? ` of ${formatCount(most)}` : ''}`;

/** The call and the file without its folders: `capturePayment (payments.ts:88)`. */
export function frameText({ call, place }: StackFrame): string {
  const file = place.split(/[\\/]/).at(-1) ?? place;
  return call === '' ? file : `${call} (${file})`;
}

function nextText(at: number, now: number, isTimer: boolean): string {
  // Rounded up: a wait that is not over has at least a second.
  const wait = formatTicking(Math.abs(at - now) + (at > now ? 999 : 0));
  if (at > now) return isTimer ? `fires in ${wait}` : `next try in ${wait}`;
  return isTimer ? `due for ${wait}` : 'next try due';
}

/** Rules about something that waits without having failed. */
const waiting: ReadonlySet<string> = new Set([
  'run-paused',
  'activity-paused',
  'task-not-taken',
  'activity-not-taken',
  'timer-overdue',
]);

/** The colour and the glyph of a finding. */
export function outcomeOfFinding({ severity, rule }: Finding, status: WorkflowStatus): Outcome {
  if (severity === 'failed') return outcomeOf(status);
  if (severity === 'stuck') return waiting.has(rule) ? 'paused' : 'failed';
  return severity === 'note' && rule === 'failed-steps' ? 'failed' : 'neutral';
}

/** The failures around the root cause, from the outermost to the root: `ActivityFailure › CardDeclined`. */
export const breadcrumb = ({ cause }: Finding): string =>
  cause === undefined || cause.wrappers.length === 0 ? '' : [...cause.wrappers, cause.type].join(' › ');
