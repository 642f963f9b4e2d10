import type { KeyTest } from '@temporal-kms/codec-api';
import { useServices } from '../session/services.tsx';
import { plural } from '../ui/format/number.ts';
import { announce } from '../ui/live-region.tsx';
import { type Task, useTask } from '../ui/use-task.ts';
import { testKeys } from './api.ts';

export type TestedKey = KeyTest['keys'][number];

/** Why a key failed its test; undefined if it passed. A server that only decrypts may fail to encrypt. */
export const failureOf = ({ check, encrypt, decrypt }: TestedKey) =>
  check === 'round_trip' ? (encrypt?.reason ?? decrypt?.reason) : decrypt?.reason;

export type KeyTestState = Task<KeyTest>;

/** The test of a namespace's keys: its last result, and a function that runs it. */
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
