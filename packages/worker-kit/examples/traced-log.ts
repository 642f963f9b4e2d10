import {
  createSafeLogger,
  outageObserver,
  withTraceContext,
  writeToLog,
} from '@temporal-kms/worker-kit/logging';

const print = (level: string) => (fields: object, message: string) =>
  console.log(JSON.stringify({ level, message, ...fields }));
const log = {
  trace: print('trace'),
  debug: print('debug'),
  info: print('info'),
  warn: print('warn'),
  error: print('error'),
};
const write = withTraceContext(writeToLog(log)); // log: pino, or any other log with these methods
const logger = createSafeLogger({ write });
const observer = outageObserver(write);
logger.info('Ready', { sdkComponent: 'worker' });
observer.dataKeyRotated?.({
  namespace: 'default',
  key: 'projects/…',
  keyVersion: 1,
  reason: 'first',
  origin: 'created',
});
