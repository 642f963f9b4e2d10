import type { CryptoHealth } from '@temporal-kms/codec-api';
import type { Observer } from '@temporal-kms/kms-codec';

type StoreHealth = NonNullable<CryptoHealth['branchKeyStore']>;

/** The latest results of calls to the branch-key store. Reading these results makes no call. */
export interface BranchKeyStoreHealth {
  readonly observer: Observer;
  readonly last: () => StoreHealth;
}

/**
 * Maximum number of failures that are listed. A store with forged values can cause a failure for each
 * namespace and key.
 */
const MAX_FAILURES = 20;

type StoreEvent = Parameters<NonNullable<Observer['branchKeyStoreRecovered']>>[0];

const idOf = ({ operation, namespace = '', key = '' }: StoreEvent): string =>
  `${operation} ${namespace} ${key}`;

/** Returns an observer of the codec that keeps track of failing store operations. */
export function watchBranchKeyStore(now: () => Date = () => new Date()): BranchKeyStoreHealth {
  const failures = new Map<string, StoreHealth['failures'][number]>();
  let used = false;
  return {
    observer: {
      // The store was available: the codec calls the store before it starts to use a branch key, whether
      // adopted or newly created.
      dataKeyRotated: () => {
        used = true;
      },
      branchKeyStoreFailed: (event) => {
        used = true;
        // Contains no namespaces, because callers of the health route must not learn the names of all
        // namespaces.
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
