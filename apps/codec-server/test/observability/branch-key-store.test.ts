import { cryptoHealth } from '@temporal-kms/codec-api';
import { expect, it } from 'vitest';
import { watchBranchKeyStore } from '../../src/observability/branch-key-store.ts';
import { appWith, headers, startKms } from '../support/stack.ts';

const adopt = (key: string) => ({ operation: 'adopt', namespace: 'secret-namespace', key }) as const;

it('reports each failing operation, and when it began to fail, until the operation works again', () => {
  let now = Date.parse('2026-11-24T12:00:00Z');
  const { observer, last } = watchBranchKeyStore(() => new Date(now));
  expect(last()).toEqual({ status: 'unknown', failures: [] });
  observer.branchKeyStoreFailed?.({ operation: 'load', code: 'unavailable', message: 'm' });
  now += 60_000;
  observer.branchKeyStoreFailed?.({ operation: 'replace', code: 'not_permitted', message: 'm' });
  expect(last()).toEqual({
    status: 'failing',
    failures: [
      { operation: 'load', code: 'unavailable', since: '2026-11-24T12:00:00.000Z' },
      { operation: 'replace', code: 'not_permitted', since: '2026-11-24T12:01:00.000Z' },
    ],
  });
  observer.branchKeyStoreRecovered?.({ operation: 'load' });
  observer.branchKeyStoreRecovered?.({ operation: 'replace' });
  expect(last()).toEqual({ status: 'ok', failures: [] });
});

it('reports a limited number of failures, without their namespaces', () => {
  const { observer, last } = watchBranchKeyStore();
  for (let n = 0; n < 100; n += 1)
    observer.branchKeyStoreFailed?.({ ...adopt(`key-${n}`), code: 'malformed', message: 'm' });
  expect(last().failures).toHaveLength(20);
  expect(JSON.stringify(last())).not.toContain('secret-namespace');
});

it('reports the store’s state in the health of a server that has a store', async () => {
  const kms = await startKms();
  const branchKeyStore = watchBranchKeyStore();
  const temporal: any = { healthy: async () => true };
  const healthOf = async (deps: object) => {
    const app = appWith(kms, { temporal, ...deps });
    const response = await app.request('/api/health', { headers });
    return cryptoHealth.parse(await response.json());
  };
  expect((await healthOf({ branchKeyStore })).branchKeyStore).toEqual({ status: 'unknown', failures: [] });
  expect(await healthOf({})).not.toHaveProperty('branchKeyStore');
  await kms.close();
});
