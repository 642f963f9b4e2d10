import { Console } from 'node:console';
import { Writable } from 'node:stream';
import type { WriteLog } from '@temporal-kms/worker-kit/logging';

type Level = Parameters<WriteLog>[0]['level'];

/** The methods of `console` that print, and the log level of each method's output. */
const levels = {
  debug: 'DEBUG',
  trace: 'DEBUG',
  log: 'INFO',
  info: 'INFO',
  dir: 'INFO',
  dirxml: 'INFO',
  table: 'INFO',
  group: 'INFO',
  groupCollapsed: 'INFO',
  count: 'INFO',
  timeLog: 'INFO',
  timeEnd: 'INFO',
  warn: 'WARN',
  countReset: 'WARN',
  error: 'ERROR',
  assert: 'ERROR',
} as const satisfies Partial<Record<keyof Console, Level>>;

/** Methods that print nothing, but change the output of other methods. */
const silent = ['groupEnd', 'time'] as const satisfies readonly (keyof Console)[];

/** The SDK prints this text together with a workflow's error, whose message may contain plaintext. */
const ofSdk = /An Unhandled Promise rejection could not be associated to a Workflow Run/;

/**
 * Turns printed output into log entries: each `console` call in this thread, at the level of its method, and
 * each write to a standard stream. Workflow threads pass their output to this thread's streams, so their
 * output is logged too.
 * @param write must not write to `process.stdout` or `process.stderr`
 */
export function logConsole(write: WriteLog): void {
  const log = (level: Level, text: string): void => {
    const [known] = ofSdk.exec(text) ?? [];
    const message = known ?? text.replace(/\n$/, '');
    if (message !== '') write({ level, message, fields: { sdkComponent: 'console' } });
  };
  let printed = '';
  const sink = new Writable({
    decodeStrings: false,
    write: (chunk, _encoding, done) => {
      printed += String(chunk);
      done();
    },
  });
  const formatting = new Console({ stdout: sink, stderr: sink, colorMode: false });
  for (const [method, level] of Object.entries(levels)) {
    const format: unknown = Reflect.get(formatting, method);
    if (typeof format !== 'function') continue;
    Reflect.set(console, method, (...values: unknown[]) => {
      printed = '';
      Reflect.apply(format, formatting, values);
      log(level, printed);
    });
  }
  for (const method of silent) Reflect.set(console, method, formatting[method].bind(formatting));
  for (const [stream, level] of [[process.stdout, 'INFO'] as const, [process.stderr, 'ERROR'] as const]) {
    Reflect.set(stream, 'write', (chunk: string | Uint8Array, ...more: unknown[]) => {
      log(level, typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
      const done = more.find((one) => typeof one === 'function');
      if (done) process.nextTick(done);
      return true;
    });
  }
}
