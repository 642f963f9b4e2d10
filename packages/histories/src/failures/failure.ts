import { type PayloadRef, type ReasonCode, reasonCode } from '@temporal-kms/codec-api';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { at, enumAt, linesAt, refAt, refsIn, textAt } from '../events/proto-json.ts';

/**
 * The failure type that Temporal's Core SDK reports for an activity's attempt if its worker shuts down, for
 * example because of a deployment. Temporal then starts the next attempt.
 */
export const WORKER_SHUTDOWN = 'WorkerShutdown';

/** One failure in a chain of causes. */
export interface FailureLevel {
  /**
   * The SDKs' name for the kind of failure, such as `ApplicationFailure` or `TimeoutFailure`; `Failure` if
   * the kind has no name.
   */
  readonly kind: string;
  /** The error type from the application or the Nexus handler, such as `CardDeclined` or `UNAVAILABLE`. */
  readonly type?: string;
  /**
   * The member of the failure that is specific to its kind, such as `activityFailureInfo`, in proto3 JSON.
   */
  readonly info: unknown;
  /** Labels such as the application's error type, the timeout's type and the retry state. */
  readonly details: readonly string[];
  /** The plaintext message. If `encoded` is present, the real message is in the payload `encoded`. */
  readonly message: string;
  readonly stackTrace: string;
  readonly nonRetryable: boolean;
  /** The encrypted message and stack trace (`encodedAttributes`). */
  readonly encoded?: PayloadRef;
  /** Application details, cancellation details or the last heartbeat. */
  readonly payloads: readonly PayloadRef[];
  /**
   * True for a failure that only states where its cause occurred: in an activity, a child workflow or a Nexus
   * operation.
   */
  readonly wrapper: boolean;
}

interface InfoKind {
  readonly field: string;
  readonly kind: string;
  readonly wrapper?: boolean;
  /** Whether `type` in the info is a name from the application or the Nexus handler. */
  readonly typed?: boolean;
  readonly details?: (info: unknown) => readonly (string | undefined)[];
}

const words = (prefix: string, info: unknown, name: string) =>
  enumAt(prefix, info, name)?.toLowerCase().replaceAll('_', ' ');

/** Returns why there was no further attempt: `maximum attempts reached`, `non-retryable failure`. */
export const retryState = (info: unknown): string | undefined =>
  words('RETRY_STATE_', info, 'retryState')?.replace(/^non /, 'non-');

const infoKinds: readonly InfoKind[] = [
  {
    field: 'applicationFailureInfo',
    kind: 'ApplicationFailure',
    typed: true,
    details: (info) => [textAt(info, 'type')],
  },
  {
    field: 'timeoutFailureInfo',
    kind: 'TimeoutFailure',
    details: (info) => [words('TIMEOUT_TYPE_', info, 'timeoutType')],
  },
  { field: 'canceledFailureInfo', kind: 'CancelledFailure' },
  { field: 'terminatedFailureInfo', kind: 'TerminatedFailure' },
  { field: 'serverFailureInfo', kind: 'ServerFailure' },
  { field: 'resetWorkflowFailureInfo', kind: 'ResetWorkflowFailure' },
  {
    field: 'activityFailureInfo',
    kind: 'ActivityFailure',
    wrapper: true,
    details: (info) => [textAt(info, 'activityType', 'name'), retryState(info)],
  },
  {
    field: 'childWorkflowExecutionFailureInfo',
    kind: 'ChildWorkflowFailure',
    wrapper: true,
    details: (info) => [textAt(info, 'workflowType', 'name'), retryState(info)],
  },
  {
    field: 'nexusOperationExecutionFailureInfo',
    kind: 'NexusOperationFailure',
    wrapper: true,
    details: (info) => [textAt(info, 'operation')],
  },
  {
    field: 'nexusHandlerFailureInfo',
    kind: 'NexusHandlerError',
    typed: true,
    details: (info) => [textAt(info, 'type')],
  },
];

/**
 * Maximum number of levels, which limits the work for a malicious chain. Temporal's size limit truncates real
 * chains much earlier.
 */
const MAX_LEVELS = 64;

/** Returns the levels of a failure, from the outermost to the innermost. */
export function failureChain(failure: unknown): FailureLevel[] {
  const levels: FailureLevel[] = [];
  for (
    let inner = failure;
    isRecord(inner) && levels.length < MAX_LEVELS;
    inner = at(inner, 'cause') ?? undefined
  ) {
    levels.push(levelOf(inner));
  }
  return levels;
}

function levelOf(failure: Record<string, unknown>): FailureLevel {
  const known = infoKinds.find(({ field }) => isRecord(failure[field]));
  const info = known ? failure[known.field] : undefined;
  const encoded = refAt(failure, 'encodedAttributes');
  const type = known?.typed ? textAt(info, 'type') : undefined;
  return {
    kind: known?.kind ?? 'Failure',
    ...(type === undefined ? {} : { type }),
    info,
    details: (known?.details?.(info) ?? []).filter((detail) => detail !== undefined),
    // `message` and `stackTrace` are getters, because escaping long text is slow, and a cause uses the text
    // of only a few levels.
    get message() {
      return linesAt(failure, 'message');
    },
    get stackTrace() {
      return linesAt(failure, 'stackTrace');
    },
    nonRetryable: at(info, 'nonRetryable') === true,
    payloads: refsIn(info),
    wrapper: known?.wrapper ?? false,
    ...(encoded ? { encoded } : {}),
  };
}

/** Matches the type that Temporal stores for the codec's errors, such as `KmsCodecError:key_disabled`. */
const CODEC_TYPE = /^KmsCodecError:([a-z_]+)$/;

/**
 * Returns the reason code, if the codec itself failed. A type with an unknown code belongs to the
 * application.
 */
export function codecReason({ type }: Pick<FailureLevel, 'type'>): ReasonCode | undefined {
  const parsed = reasonCode.safeParse(CODEC_TYPE.exec(type ?? '')?.[1]);
  return parsed.success ? parsed.data : undefined;
}

/**
 * Returns the root cause: the deepest codec error, or else the deepest level that is not a wrapper. A codec
 * error's cause, such as a gRPC status, explains less than its reason code.
 */
export const rootCause = (chain: readonly FailureLevel[]): FailureLevel | undefined =>
  chain.findLast((level) => codecReason(level) !== undefined) ??
  chain.findLast((level) => !level.wrapper) ??
  chain.at(-1);

/** Returns the level to show in a single line: the first level that is not a wrapper. */
export const headline = (chain: readonly FailureLevel[]): FailureLevel | undefined =>
  chain.find((level) => !level.wrapper) ?? chain[0];

/**
 * Returns the message and stack trace from decrypted `encodedAttributes`, which the SDKs' failure converters
 * write.
 */
export function decodedAttributes(value: unknown): { message: string; stackTrace: string } | undefined {
  if (!isRecord(value)) return undefined;
  const message = value['message'];
  const stackTrace = value['stack_trace'];
  if (typeof message !== 'string' && typeof stackTrace !== 'string') return undefined;
  return { message: linesAt(value, 'message'), stackTrace: linesAt(value, 'stack_trace') };
}
