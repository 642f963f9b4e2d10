import { types } from 'node:util';
import { ApplicationFailure } from '@temporalio/common';
import { reasonCodes } from '@temporal-kms/kms-codec';
import { knownError } from './known-errors.ts';
import { printable } from './printable.ts';

/** What a log may contain of an error: identifiers from source code, and messages that cannot contain plaintext. */
export interface ErrorFields {
  /** The class of an error, such as `ApplicationFailure`, or the type of another value, such as `string`. */
  readonly error: string;
  /** The type of an `ApplicationFailure`, which Temporal stores in plaintext too. */
  readonly errorType?: string;
  /** A `KmsCodecError`'s reason code, a system error's or Node's code, or a gRPC status. */
  readonly errorCode?: string | number;
  /** What failed, why, and what to do, of an error whose text cannot come from a payload, such as a `KmsCodecError`. */
  readonly reason?: string;
  /** Name, type and code of its causes, outermost first; the errors of an `AggregateError` follow. */
  readonly causes?: readonly string[];
}

const MAX_CAUSES = 8;
/** The message about a configuration lists every mistake. */
const MAX_REASON = 2_000;
/** No spaces and no quotes: a sentence in a name or type may be payload content. */
const identifier = /^[\w$.:@/-]{1,100}$/;
const systemCode = /^E[A-Z][A-Z0-9_]{1,60}$/;
const MAX_GRPC_STATUS = 16;
const ourCodes: ReadonlySet<string> = new Set(reasonCodes);

/** Returns name, type, code, causes and, where it is safe, the reason of anything that was thrown. Never throws. */
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

/** A message with several lines becomes one line. */
function reasonOf(error: object): string | undefined {
  try {
    const reason = knownError(error)?.reason;
    if (reason === undefined) return undefined;
    const [first = '', ...mistakes] = reason.split(/\s*\n\s*/);
    return printable([first, mistakes.join('; ')].join(' ').trim(), MAX_REASON);
  } catch {
    // A getter threw.
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

/** Returns the causes, at most as many as are logged. */
function causesOf(error: object): unknown[] {
  const errors = read(error, 'errors');
  const listed = isObject(errors)
    ? Array.from({ length: MAX_CAUSES }, (_, n) => read(errors, String(n)))
    : [];
  return [read(error, 'cause'), ...listed];
}

/** A property whose getter may throw. */
function read(object: object, name: string): unknown {
  try {
    return Reflect.get(object, name);
  } catch {
    return undefined;
  }
}

/** Accepts errors of a workflow's realm. Other objects that are thrown are payload content, including their names. */
function isError(value: unknown): value is object {
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    // A revoked proxy throws.
    return false;
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
