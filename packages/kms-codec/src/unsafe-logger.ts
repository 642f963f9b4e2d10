import { safeLoggerMark } from '@temporal-kms/node-utils/safe-logger-mark';

const isSafeLogger = (logger: unknown): boolean =>
  typeof logger === 'object' && logger !== null && safeLoggerMark in logger;

let isWarned = false;

/**
 * Emits a process warning if the logger of the worker's Runtime was not created by `createSafeLogger`. A
 * plugin cannot replace the logger, because the Runtime and its logger exist before any plugin is called.
 */
export function warnOfUnsafeLogger(worker: object): void {
  if (isWarned) return;
  // The SDK's types declare the runtime's options, but not the worker's runtime.
  const defaultOptions = read(read(read(worker, 'runtime'), 'constructor'), 'defaultOptions');
  if (defaultOptions === undefined || isSafeLogger(read(defaultOptions, 'logger'))) return;
  isWarned = true;
  process.emitWarning(
    "This worker's log may show plaintext: Temporal's logger writes failure messages, causes, stacks and details. " +
      'Create a logger with createSafeLogger (@temporal-kms/worker-kit/logging), and install it with Runtime.install before the ' +
      'first connection.',
    { type: 'SecurityWarning', code: 'TEMPORAL_KMS_UNSAFE_LOGGER' },
  );
}

const read = (from: unknown, name: string): unknown =>
  (typeof from === 'object' && from !== null) || typeof from === 'function'
    ? Reflect.get(from, name)
    : undefined;
