import {
  Runtime,
  makeTelemetryFilterString,
  type LogLevel,
  type Logger,
  type LogMetadata,
} from '@temporalio/worker';
import { pino, type DestinationStream, type Logger as Log } from 'pino';
import { errorFields } from './errors.ts';

export type { Log };

export const createLog = (level: string, destination?: DestinationStream): Log =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination ?? pino.destination(1));

/**
 * What of an SDK's log entry is passed on. A list of what is allowed, since the rest may hold payloads: an error's
 * message and stack, a whole task, a failure that Core prints.
 */
const allowed = [
  'namespace',
  'taskQueue',
  'workflowId',
  'runId',
  'workflowType',
  'activityId',
  'activityType',
  'attempt',
  'isLocal',
  'durationMs',
  'sdkComponent',
  'state',
  'updateId',
  'updateName',
];

/** Makes Temporal's SDK, Core included, log through `log`, and leaves the process's signals to us. */
export function installRuntime(log: Log): void {
  Runtime.install({
    logger: sdkLogger(log),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
    },
  });
}

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Temporal's logger interface over ours, without anything that may hold payload content. */
function sdkLogger(log: Log): Logger {
  const write = (level: LogLevel, message: string, meta: LogMetadata = {}) => {
    const kept = Object.fromEntries(allowed.map((name) => [name, meta[name]]));
    // Some of the SDK's messages end in an error's: "Error while processing ActivityTask.start: …"; the bundler's
    // report goes over a hundred lines.
    const text = message.replace(/^(Error [^:]*):.*/s, '$1').replace(/\n.*/s, '');
    log[levels[level]]({ ...kept, ...errorFields(meta['error'] ?? meta['err']) }, text);
  };
  return {
    log: write,
    trace: (message, meta) => write('TRACE', message, meta),
    debug: (message, meta) => write('DEBUG', message, meta),
    info: (message, meta) => write('INFO', message, meta),
    warn: (message, meta) => write('WARN', message, meta),
    error: (message, meta) => write('ERROR', message, meta),
  };
}
