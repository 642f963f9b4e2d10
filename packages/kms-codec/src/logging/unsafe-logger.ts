/** What a logger of `createSafeLogger` has, whichever copy of this module made it. */
export const safeLoggerMark: unique symbol = Symbol.for('temporal-kms.safeLogger');

const isSafeLogger = (logger: unknown): boolean =>
  typeof logger === 'object' && logger !== null && safeLoggerMark in logger;

let isWarned = false;

/**
 * Emits a process warning where the worker's runtime has another logger than one of `createSafeLogger`. The plugin can
 * do no more: the runtime, its logger included, exists before any plugin is asked.
 */
export function warnOfUnsafeLogger(worker: object): void {
  if (isWarned) return;
  // The options that the runtime was made with are in the SDK's types; that a worker has its runtime is not.
  const defaultOptions = read(read(read(worker, 'runtime'), 'constructor'), 'defaultOptions');
  if (defaultOptions === undefined || isSafeLogger(read(defaultOptions, 'logger'))) return;
  isWarned = true;
  process.emitWarning(
    "This worker's log may show plaintext: Temporal's logger writes failure messages, causes, stacks and details. " +
      'Install a logger of createSafeLogger (@temporal-kms/kms-codec/worker-logging) with Runtime.install before the ' +
      'first connection.',
    { type: 'SecurityWarning', code: 'TEMPORAL_KMS_UNSAFE_LOGGER' },
  );
}

const read = (from: unknown, name: string): unknown =>
  (typeof from === 'object' && from !== null) || typeof from === 'function'
    ? Reflect.get(from, name)
    : undefined;
