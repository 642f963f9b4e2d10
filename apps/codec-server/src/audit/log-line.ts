import type { AuditEntry } from '@temporal-kms/codec-api';

/**
 * An entry as a line of JSON in the shape that Cloud Logging's agents take:
 * https://docs.cloud.google.com/logging/docs/structured-logging
 */
export function logLine(entry: AuditEntry): string {
  const { time, ...audit } = entry;
  return `${JSON.stringify({
    severity: entry.event === 'denied' ? 'WARNING' : 'NOTICE',
    time,
    message: `audit: ${entry.operation} ${entry.outcome?.result ?? entry.event}`,
    'logging.googleapis.com/labels': { log: 'audit' },
    audit,
  })}\n`;
}
