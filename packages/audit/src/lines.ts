import { auditChain, type AuditEntry, auditEntry, escapeInvisible } from '@temporal-kms/codec-api';
import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { type ChainHead, formatHead, parseHead } from './chain.ts';

/** The default name of the program that writes the audit. */
export const CODEC_SERVER = 'temporal-kms/codec-server';

/** The label that identifies audit lines in Cloud Logging. */
const LABELS = { log: 'audit' } as const;
const LABELS_TEXT = `"logging.googleapis.com/labels":${JSON.stringify(LABELS)}`;

/**
 * Returns an entry as a line of JSON, in the structured format that Cloud Logging's agents parse:
 * https://docs.cloud.google.com/logging/docs/structured-logging. The lines of an operation share an id. The
 * insertId lets Cloud Logging drop lines that are delivered twice.
 * @param producer name of the program that writes the line
 */
export function entryLine(entry: AuditEntry, producer: string = CODEC_SERVER): string {
  const { time, ...audit } = entry;
  const { id, event, operation, outcome, part } = audit;
  // Only `audit` can contain text from a caller. The other values come from fixed sets, so they need no
  // JSON.stringify.
  return (
    `{"severity":"${event === 'denied' ? 'WARNING' : 'NOTICE'}","time":"${time}",` +
    `"message":"audit: ${operation} ${outcome?.result ?? event}",` +
    `"logging.googleapis.com/insertId":"${id}.${event}${part === undefined ? '' : `.${part}`}",${LABELS_TEXT},` +
    `"logging.googleapis.com/operation":{"id":"${id}","producer":"${producer}"` +
    `${isFirst(event) ? ',"first":true' : ''}${isLast(event) ? ',"last":true' : ''}},` +
    `"audit":${visibleJson(audit)}}\n`
  );
}

const isFirst = (event: AuditEntry['event']): boolean => event === 'intent' || event === 'denied';
const isLast = (event: AuditEntry['event']): boolean => event === 'outcome' || event === 'denied';

const lineOfEntry = z.object({
  time: z.string(),
  audit: z.object(auditEntry.shape).omit({ time: true, chain: true }),
  chain: z.optional(auditChain),
});

/** Parses an audit entry from a line without its line feed. Returns undefined for any other text. */
export function parseEntryLine(line: string): AuditEntry | undefined {
  const parsed = parseLine(lineOfEntry, line);
  if (parsed === undefined) return undefined;
  const { time, audit, chain } = parsed;
  return { time, ...audit, ...(chain && { chain }) };
}

/** Bytes that a crash or a full disk left between two lines of the chain. */
export interface Torn {
  readonly bytes: number;
  readonly sha256: string;
}

/** The fields, apart from the link, of a process's first line in a file or on standard output. */
export interface Opened {
  /** Name of the file without its folder; absent for standard output. */
  readonly file?: string | undefined;
  /** Size of the file before this line, in bytes. */
  readonly at?: number | undefined;
  readonly torn?: Torn | undefined;
  /**
   * The process's previous line, if it is lost. The present line then continues the chain from the file's
   * last line, not from the lost line.
   */
  readonly lost?: ChainHead | undefined;
  /** Id of the digest key. */
  readonly digestKey?: string | undefined;
}

const head = z.string().transform((text, context) => {
  const parsed = parseHead(text);
  if (parsed === undefined) context.addIssue('must be a number, a colon and a hash');
  return parsed;
});

const lineOfMark = z.object({
  auditFile: z.discriminatedUnion('event', [
    z.object({
      event: z.literal('opened'),
      version: z.string(),
      file: z.string().optional(),
      at: z.number().int().nonnegative().optional(),
      torn: z.object({ bytes: z.number().int().positive(), sha256: z.string() }).optional(),
      lost: head.optional(),
      digestKey: z.string().optional(),
    }),
    z.object({ event: z.literal('closed') }),
  ]),
});

/** A line that marks the start or end of one process's lines. */
export type Mark = z.infer<typeof lineOfMark>['auditFile'];

/** Returns a process's first line in a file. After a rotation, the new file also begins with such a line. */
export const openedLine = (instance: string, { lost, ...opened }: Opened): string =>
  markLine(instance, {
    event: 'opened',
    version: packageJson.version,
    ...opened,
    ...(lost && { lost: formatHead(lost) }),
  });

/** Returns the last line of a process that shuts down normally. */
export const closedLine = (instance: string): string => markLine(instance, { event: 'closed' });

function markLine(instance: string, mark: Readonly<Record<string, unknown>>): string {
  const time = new Date().toISOString();
  return (
    `{"severity":"NOTICE","time":"${time}","message":"audit: ${String(mark['event'])}",` +
    `"logging.googleapis.com/insertId":"${instance}.${String(mark['event'])}.${time}",${LABELS_TEXT},` +
    `"auditFile":${visibleJson(mark)}}\n`
  );
}

/** Parses an `opened` or `closed` line. Returns undefined for any other line. */
export function parseMark(line: Buffer): Mark | undefined {
  // Stryker disable next-line ConditionalExpression,StringLiteral: affects only the speed.
  if (!line.includes('"auditFile":{"event":"')) return undefined;
  return parseLine(lineOfMark, line.toString('utf8'))?.auditFile;
}

/**
 * Returns a filter for a namespace's entries in Cloud Logging's query language:
 * https://docs.cloud.google.com/logging/docs/view/logging-query-language
 */
export function cloudLoggingQuery(namespace: string, workflowId: string | undefined): string {
  const parts = [
    `labels.log=${visibleJson(LABELS.log)}`,
    `jsonPayload.audit.namespace=${visibleJson(namespace)}`,
  ];
  if (workflowId !== undefined) parts.push(`jsonPayload.audit.workflowId=${visibleJson(workflowId)}`);
  return parts.join(' AND ');
}

/**
 * Returns JSON with invisible characters escaped, so that a caller's text cannot look like a separate line or
 * different text.
 */
export const visibleJson = (value: unknown): string => escapeInvisible(JSON.stringify(value));

/** Parses a line of JSON. Returns undefined if the line does not match the schema. */
function parseLine<T>(schema: z.ZodType<T>, line: string): T | undefined {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    // The line is not JSON, or does not match the schema.
  }
  return undefined;
}
