import type { CryptoHealth } from '@temporal-kms/codec-api';
import type { Observer } from '@temporal-kms/kms-codec';

type StoreHealth = NonNullable<CryptoHealth['branchKeyStore']>;

/** What the store of branch keys last answered, known without a call. */
export interface BranchKeyStoreHealth {
  readonly observer: Observer;
  readonly last: () => StoreHealth;
}

/** Failures that are listed. A store with forged values can have one for each namespace and key. */
const MAX_FAILURES = 20;

type StoreEvent = Parameters<NonNullable<Observer['branchKeyStoreRecovered']>>[0];

const idOf = ({ operation, namespace = '', key = '' }: StoreEvent): string =>
  `${operation} ${namespace} ${key}`;

/** Returns an observer of the codec that keeps which operations of the store fail. */
export function watchBranchKeyStore(now: () => Date = () => new Date()): BranchKeyStoreHealth {
  const failures = new Map<string, StoreHealth['failures'][number]>();
  let used = false;
  return {
    observer: {
      // The codec asks the store before it begins to use a branch key, whether it adopts or creates it.
      dataKeyRotated: () => {
        used = true;
      },
      branchKeyStoreFailed: (event) => {
        used = true;
        // Readers of the health may not know the names of all namespaces, so it contains none.
        const failure = { operation: event.operation, code: event.code, since: now().toISOString() };
        if (failures.size < MAX_FAILURES) failures.set(idOf(event), failure);
      },
      branchKeyStoreRecovered: (event) => {
        used = true;
        failures.delete(idOf(event));
      },
    },
    last: () => ({
      status: failures.size > 0 ? 'failing' : used ? 'ok' : 'unknown',
      failures: [...failures.values()],
    }),
  };
}
