import { auditChain, type AuditEntry, auditEntry, escapeInvisible } from '@temporal-kms/codec-api';
import { z } from 'zod';

/** The label that Cloud Logging finds the audit by. */
const LABELS = { log: 'audit' } as const;
export const LABELS_TEXT = `"logging.googleapis.com/labels":${JSON.stringify(LABELS)}`;

/**
 * An entry as a line of JSON in the shape that Cloud Logging's agents take:
 * https://docs.cloud.google.com/logging/docs/structured-logging
 * An operation's lines share its id there; a line that is delivered twice has the same insertId and counts once.
 */
export function logLine(entry: AuditEntry): string {
  const { time, ...audit } = entry;
  const { id, event, operation, outcome, part } = audit;
  // Only what is audited may hold a caller's text; the rest comes from closed lists, and needs no JSON.stringify.
  return (
    `{"severity":"${event === 'denied' ? 'WARNING' : 'NOTICE'}","time":"${time}",` +
    `"message":"audit: ${operation} ${outcome?.result ?? event}",` +
    `"logging.googleapis.com/insertId":"${id}.${event}${part === undefined ? '' : `.${part}`}",${LABELS_TEXT},` +
    `"logging.googleapis.com/operation":{"id":"${id}","producer":"temporal-kms/codec-server"` +
    `${isFirst(event) ? ',"first":true' : ''}${isLast(event) ? ',"last":true' : ''}},` +
    `"audit":${unforgeable(audit)}}\n`
  );
}

const isFirst = (event: AuditEntry['event']): boolean => event === 'intent' || event === 'denied';
const isLast = (event: AuditEntry['event']): boolean => event === 'outcome' || event === 'denied';

const ownLine = z.object({
  time: z.string(),
  audit: auditEntry.omit({ time: true, chain: true }),
  chain: auditChain.optional(),
});

/** The entry that a line, without its line break, was made of; undefined for any other text. */
export function parseLogLine(line: string): AuditEntry | undefined {
  try {
    const { time, audit, chain } = ownLine.parse(JSON.parse(line));
    return { time, ...audit, ...(chain && { chain }) };
  } catch {
    return undefined;
  }
}

/**
 * A namespace's entries in Cloud Logging's query language.
 * https://docs.cloud.google.com/logging/docs/view/logging-query-language
 */
export function cloudLoggingQuery(namespace: string, workflowId: string | undefined): string {
  const parts = [`labels.log=${quoted(LABELS.log)}`, `jsonPayload.audit.namespace=${quoted(namespace)}`];
  if (workflowId !== undefined) parts.push(`jsonPayload.audit.workflowId=${quoted(workflowId)}`);
  return parts.join(' AND ');
}

const quoted = (text: string): string => unforgeable(text);

/** JSON in which no text of a caller's can look like a line of its own, or like another text. */
export const unforgeable = (value: unknown): string => escapeInvisible(JSON.stringify(value));
