import type { Logger, LogLevel, LogMetadata } from '@temporalio/common';
import { type SafeLogEntry, writeLine } from '@temporal-kms/node-utils/log-entry';
import { type ErrorFields, errorFields } from './logging/error-fields.ts';
import { knownError } from './logging/known-errors.ts';
import { printable } from './logging/printable.ts';
import { traceFields } from './logging/trace-context.ts';
import { safeLoggerMark } from '@temporal-kms/node-utils/safe-logger-mark';

export { pinoFormat, writeLine, writeToLog } from '@temporal-kms/node-utils/log-entry';
export type { LogMethods, WriteLog } from '@temporal-kms/node-utils/log-entry';
export { outageObserver } from './logging/outage-observer.ts';
export { withTraceContext } from './logging/trace-context.ts';
export { errorFields };
export type { ErrorFields, SafeLogEntry };

export interface SafeLoggerOptions {
  /** Entries below this level are dropped. Default `INFO`. */
  readonly level?: LogLevel;
  /** Writes an entry. The default function writes a line of JSON to standard error. */
  readonly write?: (entry: SafeLogEntry) => void;
  /**
   * Whether to write the messages that workflow, activity and Nexus code logs. By default, the logger writes
   * only the level, ids and error types of such an entry, and not its message, which may contain values. Set
   * this option only if the code logs no payload content.
   */
  readonly applicationMessages?: boolean;
  /**
   * Names of further attributes to write, such as `orderId`. Values other than numbers, booleans and strings
   * are not written. By default, there are no further attributes.
   */
  readonly attributes?: readonly string[];
}

type Attributes = Readonly<Record<string, 'string' | 'number' | 'boolean'>>;

/**
 * The attributes that identify the origin of an entry, with their types. The types are checked, because
 * workflow code may use the same names for other values.
 */
const ids: Attributes = {
  sdkComponent: 'string',
  namespace: 'string',
  taskQueue: 'string',
  workflowType: 'string',
  workflowId: 'string',
  runId: 'string',
  workflowRunId: 'string',
  activityType: 'string',
  activityId: 'string',
  activityRunId: 'string',
  attempt: 'number',
  isLocal: 'boolean',
  updateId: 'string',
  updateName: 'string',
};

const ofNexus: Attributes = { ...ids, service: 'string', operation: 'string' };

/**
 * Attributes that are written only for the SDK's own entries, because applications may use these names for
 * payload content.
 */
const ofSdk: Attributes = {
  ...ofNexus,
  method: 'string',
  ifaceName: 'string',
  fnName: 'string',
  workflowExists: 'boolean',
  state: 'string',
  durationMs: 'number',
  size: 'string',
  target: 'string',
};

const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
/** @internal The message of a misconfigured process's last log entry. */
export const MISCONFIGURED = 'Invalid configuration; exiting';
const WITHHELD = 'Message withheld: it may hold plaintext';
/**
 * Returns a logger for Temporal's `Runtime.install` that writes no payload content. The logger writes only
 * the level, the SDK's constant messages, ids, types and error codes. The logger drops errors' messages and
 * stacks, `details`, headers, memos and all other attributes. The logger never throws an error.
 * @example
 * ```ts
 * Runtime.install(safeRuntimeOptions({ logger: createSafeLogger({ level: 'INFO' }) }));
 * ```
 */
export function createSafeLogger(options: SafeLoggerOptions = {}): Logger {
  const { level: least = 'INFO', write = writeLine, applicationMessages = false, attributes = [] } = options;
  const log = (level: LogLevel, message: string, meta: LogMetadata = {}): void => {
    try {
      if (levels.indexOf(level) < levels.indexOf(least)) return;
      const component = meta['sdkComponent'];
      const isApplication = component !== 'worker' && component !== 'core';
      const text = isApplication
        ? applicationMessage(message, applicationMessages)
        : sdkMessage(message, meta);
      const kept = isApplication ? (component === 'nexus' ? ofNexus : ids) : ofSdk;
      write({ level, message: printable(text), fields: fieldsOf(meta, kept, attributes) });
    } catch {
      // An attribute's getter or the function `write` threw an error. A log entry must not make a task fail.
    }
  };
  return {
    [safeLoggerMark]: true,
    log,
    trace: (message, meta) => log('TRACE', message, meta),
    debug: (message, meta) => log('DEBUG', message, meta),
    info: (message, meta) => log('INFO', message, meta),
    warn: (message, meta) => log('WARN', message, meta),
    error: (message, meta) => log('ERROR', message, meta),
  } as Logger;
}

/**
 * Matches the code at the start of some SDK warnings, such as `[TMPRL1102]`, which contains no payload
 * content. The code is kept because the SDK logs its warnings about unfinished handlers as if workflow code
 * had logged them.
 */
const sdkRule = /^\[TMPRL\d{1,6}\]/;

const applicationMessage = (message: string, isKept: boolean): string => {
  if (isKept) return message;
  const [rule] = sdkRule.exec(message) ?? [];
  return rule === undefined ? WITHHELD : `${rule} ${WITHHELD}`;
};

/**
 * Returns the constant part of a message from the SDK or Core. Interpolated values follow a colon or a line
 * break. Withholds messages that Core forwards from other crates, because they may contain plaintext.
 */
const sdkMessage = (message: string, { sdkComponent, target }: LogMetadata): string => {
  if (sdkComponent === 'core' && !String(target).startsWith('temporalio_')) return WITHHELD;
  const [constant = ''] = message.split(/:\s|\n/, 1);
  return constant;
};

function fieldsOf(
  meta: LogMetadata,
  kept: Attributes,
  attributes: readonly string[],
): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, type] of Object.entries(kept)) {
    const value: unknown = meta[name];
    if (typeof value === type) fields[name] = shown(value);
  }
  for (const [name, form] of Object.entries(traceFields)) {
    const value: unknown = meta[name];
    if (typeof value === 'string' && form.test(value)) fields[name] = value;
  }
  for (const name of attributes) {
    const value: unknown = meta[name];
    if (['string', 'number', 'boolean', 'bigint'].includes(typeof value)) fields[name] = shown(value);
  }
  const error: unknown = meta['error'] ?? meta['err'];
  return error === undefined ? fields : { ...fields, ...errorFields(error) };
}

const shown = (value: unknown): unknown =>
  typeof value === 'string' ? printable(value) : typeof value === 'bigint' ? String(value) : value;

/** The part of Temporal's `RuntimeOptions` that concerns logging. */
export interface SafeRuntimeOptions {
  readonly logger: Logger;
  readonly telemetryOptions: {
    readonly logging: {
      readonly filter: { readonly core: LogLevel; readonly other: LogLevel };
      readonly forward: Record<string, never>;
    };
  };
}

/**
 * Returns options for `Runtime.install` that make Temporal's Core also log through the logger.
 * @param options.coreLevel the minimum level of Core's entries. Default `WARN`.
 */
export function safeRuntimeOptions(
  options: { readonly logger?: Logger; readonly coreLevel?: LogLevel } = {},
): SafeRuntimeOptions {
  const { logger = createSafeLogger(), coreLevel = 'WARN' } = options;
  return {
    logger,
    telemetryOptions: { logging: { filter: { core: coreLevel, other: 'ERROR' }, forward: {} } },
  };
}

const EX_CONFIG = 78;

/**
 * Logs uncaught errors and unhandled rejections without payload content, and ends the process. Without this
 * function, Node would print their messages, causes and stacks. The log entry contains the type of the error.
 * The entry includes the message only if the error is a `KmsCodecError`, a `KmsConfigurationError` or a
 * failed connection to Temporal, because those messages cannot contain plaintext. The exit status is 78 if only a
 * different configuration helps, and 1 otherwise.
 */
export function catchFatalErrors(logger: Logger): void {
  const end = (error: unknown) => {
    const isConfiguration = knownError(error)?.isConfiguration === true;
    const message = isConfiguration ? MISCONFIGURED : 'Uncaught error; the process ends';
    logger.error(message, { sdkComponent: 'worker', error });
    process.exit(isConfiguration ? EX_CONFIG : 1);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
