import { KeyedSemaphore } from '@temporal-kms/node-utils/keyed-semaphore';
import { branchKeyAad, dataKeyInfo } from '../../src/crypto/tags.ts';
import type { KeyContext } from '../../src/keys/key-context.ts';
import { type DataKeyLimits, resolveLimits } from '../../src/keys/limits.ts';
import type { DataKeyScope } from '../../src/keys/scope-key.ts';
import { cryptoKey } from './codec.ts';
import { FakeKeyService } from './fake-key-service.ts';

/** The scope of the branch keys of the namespace `pay`. */
export const scope: DataKeyScope = {
  id: 'pay',
  namespace: 'pay',
  cryptoKey: cryptoKey('pay'),
  aad: branchKeyAad('pay'),
  info: dataKeyInfo('pay'),
};

/** Returns the services of a process's keys, with a clock that the test sets. */
export function keyContextOf({
  clock = { time: 1_000_000 },
  keyService = new FakeKeyService(),
  observer = {},
  limits = {},
}: {
  readonly clock?: { time: number };
  readonly keyService?: KeyContext['keyService'];
  readonly observer?: KeyContext['observer'];
  readonly limits?: Partial<DataKeyLimits>;
}): KeyContext {
  const now = () => clock.time;
  const resolved = resolveLimits(limits);
  const semaphore = new KeyedSemaphore(resolved.callsInFlight);
  return { keyService, semaphore, limits: resolved, observer, now, wall: now, denies: () => false };
}
