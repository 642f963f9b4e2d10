import type { KeyTest } from '@temporal-kms/codec-api';
import { useEffect, useRef, useState } from 'react';
import { isAbort } from '../../api/failure.ts';
import { testKeys } from '../../api/keys.ts';
import { announce } from '../../components/live-region.tsx';
import { plural } from '../../model/format/number.ts';
import { useMe } from '../../session/me.tsx';
import { useServices } from '../../state/services.tsx';

export type TestedKey = KeyTest['keys'][number];

/** Why a key failed its test; undefined if it passed. A server that only decrypts may fail to encrypt. */
export const failureOf = ({ check, encrypt, decrypt }: TestedKey) =>
  check === 'round_trip' ? (encrypt?.reason ?? decrypt?.reason) : decrypt?.reason;

export type KeyTestState = ReturnType<typeof useKeyTest>;

/** The test of a namespace's keys: its last result, and a function that runs it. */
export function useKeyTest(namespace: string) {
  const { api } = useServices();
  const { can } = useMe();
  const [result, setResult] = useState<KeyTest>();
  const [error, setError] = useState<Error>();
  const [running, setRunning] = useState(false);
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);

  async function test(signal: AbortSignal) {
    try {
      const found = await testKeys(api, namespace, signal);
      setResult(found);
      const failed = found.keys.filter((key) => failureOf(key) !== undefined).length;
      announce(failed === 0 ? 'The test of the keys passed.' : `${plural(failed, 'key')} failed the test.`);
    } catch (caught) {
      if (isAbort(caught)) return;
      const failure = caught instanceof Error ? caught : new Error(String(caught));
      setError(failure);
      announce(`The keys could not be tested: ${failure.message}`);
    } finally {
      setRunning(false);
    }
  }

  return {
    allowed: can(namespace, 'decode'),
    running,
    result,
    error,
    run: () => {
      abort.current?.abort();
      abort.current = new AbortController();
      setError(undefined);
      setRunning(true);
      void test(abort.current.signal);
    },
  };
}
