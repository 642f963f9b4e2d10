import type { KeyTest } from '@temporal-kms/codec-api';
import { useServices } from '../session/services.tsx';
import { plural } from '../ui/format/number.ts';
import { announce } from '../ui/live-region.tsx';
import { type Task, useTask } from '../ui/use-task.ts';
import { testKeys } from './api.ts';

export type TestedKey = KeyTest['keys'][number];

/**
 * Returns why a key failed its test, or undefined if it passed. If the server only decrypts, a failure to encrypt does
 * not count.
 */
export const failureOf = ({ check, encrypt, decrypt }: TestedKey) =>
  check === 'round_trip' ? (encrypt?.reason ?? decrypt?.reason) : decrypt?.reason;

export type KeyTestState = Task<KeyTest>;

/** Returns the last result of testing a namespace's keys, and a function that runs the test. */
export function useKeyTest(namespace: string): KeyTestState {
  const { api } = useServices();
  return useTask(
    (signal) => testKeys(api, namespace, signal),
    (result, error) => {
      const failed = result?.keys.filter((key) => failureOf(key) !== undefined).length ?? 0;
      if (error) announce(`The keys could not be tested: ${error.message}`);
      else
        announce(failed === 0 ? 'The test of the keys passed.' : `${plural(failed, 'key')} failed the test.`);
    },
  );
}
