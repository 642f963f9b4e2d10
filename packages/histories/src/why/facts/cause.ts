import type { PayloadRef, ReasonCode } from '@temporal-kms/codec-api';
import { at, linesAt } from '../../events/proto-json.ts';
import {
  codecReason,
  decodedAttributes,
  failureChain,
  type FailureLevel,
  rootCause,
} from '../../failures/failure.ts';
import { kindName, ownFrames, type StackFrame } from '../../failures/stack-trace.ts';
import { type Place, placesOf } from './place.ts';
import type { WhyRun } from './run.ts';

/** A failure's message. */
export type Message =
  /** `text` may be empty, because not every error has a message. */
  | { readonly status: 'readable'; readonly text: string; readonly encrypted: boolean }
  | { readonly status: 'locked'; readonly ref: PayloadRef }
  | { readonly status: 'unreadable'; readonly ref: PayloadRef; readonly reason: ReasonCode };

/** The root cause of a failure, and the steps and failures that lead to it. */
export interface Cause {
  /** The kind of failure, such as `ApplicationFailure` or `TimeoutFailure`. */
  readonly kind: string;
  /**
   * The application's error type, such as `CardDeclined`. If there is no type, the class that the stack trace names,
   * or else the kind, such as `TimeoutFailure`.
   */
  readonly type: string;
  /** The type of a timeout, such as `start to close` or `heartbeat`. */
  readonly timeout?: string | undefined;
  readonly nonRetryable: boolean;
  readonly message: Message;
  /** The application's innermost frames, innermost first. Empty while the stack trace is locked. */
  readonly frames: readonly StackFrame[];
  /**
   * The steps that failed (child workflows, Nexus operations and activities), outermost first. Empty if the
   * workflow's own code failed.
   */
  readonly places: readonly Place[];
  /**
   * The failures that wrap the root cause, outermost first, such as `ActivityFailure` and
   * `ApplicationFailure: OrderFailed`.
   */
  readonly wrappers: readonly string[];
  /** The reason code, if the codec itself failed. */
  readonly codec?: ReasonCode | undefined;
  /**
   * The payloads with the messages and stack traces of the root cause and of the failures around it. Decrypt
   * these to complete the cause.
   */
  readonly refs: readonly PayloadRef[];
}

/** Maximum number of the application's frames in a cause. */
const MAX_FRAMES = 8;

/**
 * Returns the root cause of a failure.
 * @param failure proto3 JSON with placeholders
 *
 * @example
 * const { type, message, places } = causeOf(event.attributes['failure'], run) ?? {};
 */
export function causeOf(failure: unknown, run: Pick<WhyRun, 'groups' | 'read'>): Cause | undefined {
  const chain = failureChain(failure);
  const root = rootCause(chain);
  if (root === undefined) return undefined;
  const depth = chain.indexOf(root);
  const used = chain.slice(0, depth + 1);
  const type = root.type ?? kindName(root.kind, stackTraceOf(root, run));
  const message = once(() => messageOf(root, run));
  const frames = once(() => framesOf(used, run));
  return {
    kind: root.kind,
    type,
    timeout: root.kind === 'TimeoutFailure' ? root.details[0] : undefined,
    nonRetryable: root.nonRetryable,
    // These properties are getters, because a run may have 2,000 pending activities, and an explanation
    // contains few of them.
    get message() {
      return message();
    },
    get frames() {
      return frames();
    },
    places: placesOf(chain, run.groups),
    wrappers: chain.slice(0, depth).map(wrapperText),
    codec: codecReason(root),
    refs: used.flatMap(({ encoded }) => encoded ?? []),
  };
}

/** Returns a function that computes a value at its first call, and then keeps it. */
function once<T>(compute: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => (known ??= { value: compute() }).value;
}

const wrapperText = ({ kind, type }: FailureLevel): string =>
  type === undefined ? kind : `${kind}: ${type}`;

function messageOf({ encoded, message }: FailureLevel, { read }: Pick<WhyRun, 'read'>): Message {
  if (encoded === undefined) return { status: 'readable', text: message, encrypted: false };
  const reading = read(encoded);
  if (reading.status !== 'readable') return { ...reading, ref: encoded };
  return { status: 'readable', text: decodedAttributes(reading.value)?.message ?? message, encrypted: true };
}

/**
 * Returns the frames of the innermost failure that has application frames. The root cause may have none,
 * because a library may have thrown it. Skips the codec's errors, because in a bundle, the codec's frames
 * look like the application's.
 */
function framesOf(chain: readonly FailureLevel[], run: Pick<WhyRun, 'read'>): readonly StackFrame[] {
  const levels = chain.filter((level) => codecReason(level) === undefined).toReversed();
  for (const level of levels.slice(0, MAX_TRACES)) {
    const frames = ownFrames(withoutMiddle(stackTraceOf(level, run)));
    if (frames.length > 0) return frames.slice(0, MAX_FRAMES);
  }
  return [];
}

/** Maximum number of stack traces to parse, which limits the work for malicious failures on servers. */
const MAX_TRACES = 8;
/**
 * Maximum number of characters of a stack trace. The middle of a longer trace is removed, because the innermost frame
 * is among the first lines or the last lines.
 */
const MAX_TRACE = 16_384;

/** Maximum number of characters of a message. Temporal truncates most failures at 4 KiB. */
const MAX_MESSAGE = 4_096;
/** Maximum number of characters of a name. Fingerprints compare fewer. */
const MAX_NAME = 256;

/**
 * Shortens a failure's string before invisible characters are escaped, because escaping long strings is slow.
 * Each string has a separate limit, so that long stack traces never displace a failure's type or message.
 * @param member the name of the string in Temporal's API or in decrypted `encodedAttributes`
 */
export function shortText(member: string, text: string): string {
  switch (member) {
    case 'stackTrace':
    case 'stack_trace':
      return withoutMiddle(text);
    case 'message':
    case 'reason':
      return text.slice(0, MAX_MESSAGE);
    default:
      return text.slice(0, MAX_NAME);
  }
}

const withoutMiddle = (text: string): string =>
  text.length <= MAX_TRACE ? text : `${text.slice(0, MAX_TRACE / 2)}\n${text.slice(-MAX_TRACE / 2)}`;

function stackTraceOf({ encoded, stackTrace }: FailureLevel, { read }: Pick<WhyRun, 'read'>): string {
  if (encoded === undefined) return stackTrace;
  const reading = read(encoded);
  return reading.status === 'readable' ? linesAt(reading.value, 'stack_trace') : '';
}

/** Returns the failure in an event's attributes, in proto3 JSON. */
export const failureOf = (attributes: unknown): unknown =>
  at(attributes, 'failure') ?? at(attributes, 'outcome', 'failure') ?? undefined;
