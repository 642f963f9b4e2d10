import { escapeInvisible, reasons } from '@temporal-kms/codec-api';
import type { Cause } from './facts/cause.ts';
import type { Explanation } from './explain.ts';
import type { Finding } from './facts/finding.ts';
import type { Place } from './facts/place.ts';
import { isOpen, type WhyRun } from './facts/run.ts';
import { counted, seconds } from './facts/words.ts';

/** Options of `cardLines`. */
export interface CardOptions extends Pick<WhyRun, 'status' | 'now'> {
  /** A sentence that tells people how to decrypt the payloads that are still locked. */
  readonly howToReveal: string;
}

/** Maximum number of findings of one rule that are printed in full. The remaining findings are counted. */
const MAX_PRINTED = 5;
/** Maximum number of lines and of characters of one message. */
const MAX_LINES = 8;
const MAX_CHARACTERS = 2_000;

/**
 * Returns an explanation as lines of text, for the command line and for tickets: the root cause's message, where it
 * occurred, the application's first frame, and the wrapping failures.
 *
 * @example
 * cardLines(explanation, { status: 'Failed', now: Date.now(), howToReveal: 'Reveal the run.' });
 * // ['Failed: CardDeclined: Card 4242 was declined', '  in activity charge #17, attempt 5, maximum attempts reached', …]
 */
export function cardLines(explanation: Explanation, options: CardOptions): string[] {
  const { findings, more, locked } = explanation;
  const lines: string[] = [];
  if (findings.length === 0) lines.push('No step failed, and nothing is pending.');
  const printed = new Map<string, number>();
  for (const finding of findings) {
    const number = (printed.get(finding.rule) ?? 0) + 1;
    printed.set(finding.rule, number);
    if (number <= MAX_PRINTED)
      lines.push(...findingLines(finding, options).flatMap((line) => line.split('\n')));
  }
  for (const [rule, number] of printed) {
    const rest =
      number - Math.min(number, MAX_PRINTED) + (Object.entries(more).find(([id]) => id === rule)?.[1] ?? 0);
    const title = findings.find((finding) => finding.rule === rule)?.title ?? rule;
    if (rest > 0) lines.push(`${title}: ${rest} more`);
  }
  if (locked > 0)
    lines.push(
      `${counted(locked, 'payload')} of this card ${locked === 1 ? 'is' : 'are'} not decrypted. ${options.howToReveal}`,
    );
  return lines;
}

function findingLines(finding: Finding, { status, now }: CardOptions): string[] {
  const { title, detail, cause, place, since, attempt, maximumAttempts, nextAt, queue, remedy, eventId } =
    finding;
  const subject = cause === undefined ? place && placeText(place) : causeText(cause);
  const [frame] = cause?.frames ?? [];
  const where = [
    place && cause ? `in ${placeText(place)}` : undefined,
    eventId === undefined ? undefined : `event #${eventId}`,
    attempt === undefined
      ? undefined
      : `attempt ${attempt}${maximumAttempts ? ` of ${maximumAttempts}` : ''}`,
    place?.retryState,
    nextAt === undefined ? undefined : whenText(nextAt, now, verbOfNext(finding)),
    queue && `queue ${queue}`,
    since === undefined ? undefined : momentText(finding, since, isOpen({ status }) ? now : undefined),
  ].filter(Boolean);
  const inner = cause?.places.slice(place === undefined ? 0 : 1).map(placeText) ?? [];
  return [
    [title, subject].filter(Boolean).join(': '),
    detail && `  ${detail}`,
    where.length > 0 ? `  ${where.join(', ')}` : undefined,
    inner.length > 0 ? `  through ${inner.join(' › ')}` : undefined,
    frame && `  at ${frame.call === '' ? frame.place : `${frame.call} (${frame.place})`}`,
    cause && cause.wrappers.length > 0 ? `  ${[...cause.wrappers, cause.type].join(' › ')}` : undefined,
    remedy && `  ${remedy}`,
  ].filter((line): line is string => Boolean(line));
}

/** Returns the type and message of a cause, or a note that the message is not decrypted or is unreadable. */
function causeText({ type, timeout, message }: Cause): string {
  const name = timeout === undefined ? type : `${type} (${timeout})`;
  if (message.status === 'locked') return `${name} (message not decrypted)`;
  if (message.status === 'unreadable') {
    const { title, remedy } = reasons[message.reason];
    return `${name} (message not readable: ${message.reason}, ${title}. ${remedy})`;
  }
  return message.text === '' ? name : `${name}: ${shortened(message.text)}`;
}

/** Returns the first lines of a message. All lines after the first are indented. */
function shortened(message: string): string {
  const text = message.trim();
  const lines = text.slice(0, MAX_CHARACTERS).split('\n').slice(0, MAX_LINES);
  const isCut = lines.join('\n').length < text.length;
  return [...lines, ...(isCut ? ['…'] : [])].join('\n    ');
}

const kindText: Readonly<Record<Place['kind'], string>> = {
  activity: 'activity',
  local: 'local activity',
  child: 'child workflow',
  nexus: 'Nexus operation',
  update: 'update',
  timer: 'timer',
  external: 'message',
  signal: 'signal',
  task: 'workflow task',
};

/** Returns a step in words, such as `activity charge` or `child workflow Shipment (shipment-88213)`. */
export const placeText = ({ kind, name, run }: Place): string =>
  `${kindText[kind]} ${name}${run === undefined ? '' : ` (${escapeInvisible(run.workflowId)})`}`;

/** Returns a time in UTC, to the second: `2030-01-31T12:00:00Z`. */
const timeText = (time: number): string => new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');

/** States the time of a finding and, for an open run, how long ago that was. */
function momentText(finding: Finding, since: number, now: number | undefined): string {
  const word = wordOfSince(finding);
  const text = `${word} ${timeText(since)}`;
  if (finding.severity === 'failed' || now === undefined || now - since < 1000) return text;
  return `${text} (${seconds(now - since)}${word === 'since' ? '' : ' ago'})`;
}

/** Returns the word that precedes the time of a finding: `at`, `ended`, `since` or `first scheduled`. */
export function wordOfSince({ rule, severity }: Pick<Finding, 'rule' | 'severity'>): string {
  // `at` could seem to be the time of the request, because the finding also names who requested the cancellation.
  if (rule === 'run-canceled') return 'ended';
  if (severity === 'failed') return 'at';
  // It is not known when the first attempt failed.
  return rule.endsWith('-retries') || rule === 'nexus-blocked' ? 'first scheduled' : 'since';
}

/** Returns what happens at `nextAt`, as a verb such as `fires`; undefined if the next attempt begins then. */
export function verbOfNext({ rule }: Pick<Finding, 'rule'>): string | undefined {
  if (rule === 'start-delayed') return 'starts';
  return rule.startsWith('timer') ? 'fires' : undefined;
}

function whenText(at: number, now: number, verb: string | undefined): string {
  if (at > now) return `${verb ?? 'next attempt'} in ${seconds(at - now)}`;
  return verb === undefined ? 'next attempt due' : `due for ${seconds(now - at)}`;
}
