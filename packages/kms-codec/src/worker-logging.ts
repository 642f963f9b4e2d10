import type { Logger, LogLevel, LogMetadata } from '@temporalio/common';
import { type ErrorFields, errorFields } from './logging/error-fields.ts';
import { safeLoggerMark } from './logging/unsafe-logger.ts';

export { errorFields };
export type { ErrorFields };

/** One entry of a worker's log, without anything that may hold plaintext. */
export interface SafeLogEntry {
  readonly level: LogLevel;
  readonly message: string;
  /** Ids, types, codes and numbers. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface SafeLoggerOptions {
  /** Entries below it are dropped. Default `INFO`. */
  readonly level?: LogLevel;
  /** Takes the entries, as in `({ level, message, fields }) => …`. Default: a line of JSON each, to standard error. */
  readonly write?: (entry: SafeLogEntry) => void;
  /**
   * Whether messages that workflow, activity and Nexus code logs are written. Default: their level, ids and error
   * types are, and the message is withheld, because code puts values into it. Set it where all of that code is known
   * to log no payload content.
   */
  readonly applicationMessages?: boolean;
  /** Further attributes whose numbers, booleans and strings are written, such as an order's id. Default: none. */
  readonly attributes?: readonly string[];
}

type Attributes = Readonly<Record<string, 'string' | 'number' | 'boolean'>>;

/** Types are checked as well: a name alone tells nothing of a value that workflow code may have put there. */
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

/** Code of an application gives these names to content as well. */
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
const MAX_TEXT = 256;
const WITHHELD = 'Message withheld: it may hold plaintext';
/** Unprintable, unassigned and invisible characters, direction marks and line separators. */
const invisible = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** A bounded text in which every character can be seen. */
const printable = (text: string): string =>
  (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text).replaceAll(
    invisible,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );

/**
 * A logger for Temporal's `Runtime.install` that writes no payload content: of an entry it keeps the level, the SDK's
 * constant message, ids, types and error codes. Messages and stacks of errors, `details`, headers, memos and every
 * other attribute are dropped. It never throws.
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
      // A getter of an attribute, or the writer: a log entry is worth no failed task.
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

/** The SDK warns of handlers that a workflow leaves unfinished in the workflow's own name; its rule's code may pass. */
const sdkRule = /^\[TMPRL\d{1,6}\]/;

const applicationMessage = (message: string, isKept: boolean): string => {
  if (isKept) return message;
  const [rule] = sdkRule.exec(message) ?? [];
  return rule === undefined ? WITHHELD : `${rule} ${WITHHELD}`;
};

/**
 * The SDK's messages are constants, Core's too; what the SDK adds to one follows a colon, or begins a new line. Core
 * passes on what other crates log, which may be anything.
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
  for (const name of attributes) {
    const value: unknown = meta[name];
    if (['string', 'number', 'boolean', 'bigint'].includes(typeof value)) fields[name] = shown(value);
  }
  const error: unknown = meta['error'] ?? meta['err'];
  return error === undefined ? fields : { ...fields, ...errorFields(error) };
}

const shown = (value: unknown): unknown =>
  typeof value === 'string' ? printable(value) : typeof value === 'bigint' ? String(value) : value;

function writeLine({ level, message, fields }: SafeLogEntry): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
}

/** The part of Temporal's `RuntimeOptions` that concerns logs. */
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
 * Options for `Runtime.install` with which Temporal's Core, too, logs through the logger, and not by itself.
 * @param options.coreLevel of Core's entries. Default `WARN`.
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

/**
 * Logs errors that nothing catches, rejections among them, by their type and ends the process with status 1. Node would
 * print their messages, causes and stacks.
 */
export function catchFatalErrors(logger: Logger): void {
  const end = (error: unknown) => {
    logger.error('Uncaught error; the process ends', { sdkComponent: 'worker', error });
    process.exit(1);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
