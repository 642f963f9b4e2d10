import { onTestFinished } from 'vitest';

/** Collects the rejections that no code handles, instead of letting them end the process. */
export function collectUnhandled(): readonly unknown[] {
  const unhandled: unknown[] = [];
  const listeners = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (error) => void unhandled.push(error));
  onTestFinished(() => {
    process.removeAllListeners('unhandledRejection');
    for (const listener of listeners) process.on('unhandledRejection', listener);
  });
  return unhandled;
}
