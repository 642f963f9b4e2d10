import { escapeInvisible } from '@temporal-kms/codec-api';
import { type DestinationStream, type Logger, pino } from 'pino';

/** https://docs.cloud.google.com/logging/docs/structured-logging, beside pino's own number. */
const severities: Readonly<Record<string, string>> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

/** Lines of JSON, as Cloud Logging's agents take them; what can't be seen is escaped in them. */
export const createLog = (level: string, output: DestinationStream): Logger =>
  pino(
    {
      level,
      base: null,
      formatters: { level: (label, number) => ({ severity: severities[label], level: number }) },
    },
    { write: (line) => output.write(`${escapeInvisible(line.trimEnd())}\n`) },
  );
