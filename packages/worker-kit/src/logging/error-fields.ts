import { types } from 'node:util';
import { ApplicationFailure } from '@temporalio/common';
import { reasonCodes } from '@temporal-kms/kms-codec';
import { isObject } from '@temporal-kms/node-utils/is-object';
import { knownError } from './known-errors.ts';
import { printable } from './printable.ts';

/**
 * The parts of an error that may be logged: identifiers from source code, and messages that cannot contain
 * plaintext.
 */
export interface ErrorFields {
  /**
   * The name of the error's class, such as `ApplicationFailure`. For a thrown value that is not an error, its
   * type, such as `string`.
   */
  readonly error: string;
  /** The type of an `ApplicationFailure`. Temporal also stores this type in plaintext. */
  readonly errorType?: string;
  /** The reason code of a `KmsCodecError`, the code of a system or Node error, or a gRPC status. */
  readonly errorCode?: string | number;
  /**
   * What failed, why, and what to do. This field is present only for errors whose text cannot come from a
   * payload, such as a `KmsCodecError`.
   */
  readonly reason?: string;
  /**
   * Names, types and codes of the error's causes, outermost first, followed by an `AggregateError`'s errors.
   */
  readonly causes?: readonly string[];
}

const MAX_CAUSES = 8;
/**
 * Maximum length of `reason`, in characters. The limit is high, because a message about the configuration
 * lists every mistake.
 */
const MAX_REASON = 2_000;
/**
 * Matches an identifier without spaces and quotation marks, because a sentence in a name or type may be
 * payload content.
 */
const identifier = /^[\w$.:@/-]{1,100}$/;
const systemCode = /^E[A-Z][A-Z0-9_]{1,60}$/;
const MAX_GRPC_STATUS = 16;
const ourCodes: ReadonlySet<string> = new Set(reasonCodes);

/**
 * Returns the name, type, code, causes and, if it is safe, the reason of any thrown value. Never throws an
 * error.
 */
export function errorFields(error: unknown): ErrorFields {
  if (!isError(error)) return { error: typeof error };
  const causes: string[] = [];
  const seen = new Set<object>([error]);
  const waiting = causesOf(error);
  for (const cause of waiting) {
    if (causes.length === MAX_CAUSES) break;
    if (!isObject(cause) || seen.has(cause)) continue;
    seen.add(cause);
    if (!isError(cause)) {
      causes.push(typeof cause);
      continue;
    }
    const { error: name, errorType, errorCode } = ownFields(cause);
    causes.push([name, errorType, errorCode].filter((part) => part !== undefined).join(' '));
    waiting.push(...causesOf(cause));
  }
  const reason = reasonOf(error);
  return {
    ...ownFields(error),
    ...(reason !== undefined && { reason }),
    ...(causes.length > 0 && { causes }),
  };
}

/** Returns the reason, if known, as one line. */
function reasonOf(error: object): string | undefined {
  try {
    const reason = knownError(error)?.reason;
    if (reason === undefined) return undefined;
    const [first = '', ...mistakes] = reason.split(/\s*\n\s*/);
    return printable([first, mistakes.join('; ')].join(' ').trim(), MAX_REASON);
  } catch {
    // A getter threw an error.
    return undefined;
  }
}

function ownFields(error: object): ErrorFields {
  const name = identifierOf(error, 'name') ?? 'Error';
  const type = error instanceof ApplicationFailure ? identifierOf(error, 'type') : undefined;
  const code = loggableCode(read(error, 'code'));
  return { error: name, ...(type && { errorType: type }), ...(code !== undefined && { errorCode: code }) };
}

function loggableCode(code: unknown): string | number | undefined {
  if (typeof code === 'number')
    return Number.isInteger(code) && code >= 0 && code <= MAX_GRPC_STATUS ? code : undefined;
  return typeof code === 'string' && (ourCodes.has(code) || systemCode.test(code)) ? code : undefined;
}

function identifierOf(error: object, name: string): string | undefined {
  const value = read(error, name);
  return typeof value === 'string' && identifier.test(value) ? value : undefined;
}

/** Returns the direct causes of an error, but no more than will be logged. */
function causesOf(error: object): unknown[] {
  const errors = read(error, 'errors');
  const listed = isObject(errors)
    ? Array.from({ length: MAX_CAUSES }, (_, n) => read(errors, String(n)))
    : [];
  return [read(error, 'cause'), ...listed];
}

/** Reads a property whose getter may throw. */
function read(object: object, name: string): unknown {
  try {
    return Reflect.get(object, name);
  } catch {
    return undefined;
  }
}

/**
 * Returns whether a value is an error, possibly from a workflow's realm. Any other thrown object counts as
 * payload content, including its name.
 */
function isError(value: unknown): value is object {
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    // A revoked proxy throws an error.
    return false;
  }
}
