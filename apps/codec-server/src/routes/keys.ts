import type { Audit } from '@temporal-kms/audit';
import {
  keyTest,
  type KeyTest,
  keyTestRequest,
  type NamespaceKeys,
  namespaceKeys,
} from '@temporal-kms/codec-api';
import type { ForGrant } from '../http/authorise.ts';
import { clientAddress } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import type { RateLimits } from '../http/rate-limits.ts';
import { replyJson } from '../http/responses.ts';
import type { TestedKey } from '../observability/key-test.ts';
import { chargedTo } from '../observability/kms-calls.ts';

export interface KeyRoutesOptions {
  readonly describeKeys: ForGrant<'metadata', () => Promise<NamespaceKeys>>;
  /** Calls Cloud KMS for each key. */
  readonly testKeys: ForGrant<'decode', () => Promise<TestedKey[]>>;
  /** An audit that does not count key usage, because a test does not use a key for a payload. */
  readonly audit: Audit;
  readonly rates: RateLimits;
}

/** Routes that describe and test a namespace's keys. */
export function keyRoutes({ describeKeys, testKeys, audit, rates }: KeyRoutesOptions): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/namespaces/{namespace}/keys',
      operationId: 'describeKeys',
      summary: "Describes a namespace's keys, their versions and states, and their use in this process",
      description:
        'Looks up each key at most once every 30 seconds. If a look-up fails, the key has a reason code instead of a description.',
      requires: 'metadata',
      response: { description: 'The keys', type: 'application/json', schema: namespaceKeys },
      handler: async (c, { grant }) => replyJson(c, await describeKeys(grant)()),
    }),
    defineRoute({
      method: 'post',
      path: '/api/namespaces/{namespace}/keys:test',
      operationId: 'testKeys',
      summary: "Encrypts and decrypts random bytes with a namespace's keys, and returns the durations",
      description:
        'Calls Cloud KMS for each key, without a cache. For a decrypt-only key, the server sends random bytes. Cloud KMS checks the ' +
        'permission before the bytes, so its error shows whether the server may decrypt with the key. A caller may test six ' +
        "times per minute, and the calls count towards the caller's limit of Cloud KMS requests.",
      requires: 'decode',
      body: keyTestRequest,
      response: { description: 'The result for each key', type: 'application/json', schema: keyTest },
      admit: (c) => {
        const account = c.get('account');
        rates.keyTest(account);
        const wait = rates.kms(account)?.waitMs() ?? 0;
        if (wait > 0) throw rates.kmsExhausted(wait);
      },
      handler: async (c, { grant }) => {
        const { namespace } = grant;
        const caller = c.get('caller');
        const test = testKeys(grant);
        const record = await audit.begin({
          operation: 'self_test',
          caller,
          peer: clientAddress(c),
          namespace,
        });
        try {
          const keys = await chargedTo(rates.kms(c.get('account')), test);
          for (const { name, version, encrypt, decrypt } of keys) {
            const reason = encrypt?.reason ?? decrypt?.reason;
            const key = { name, ...(version !== undefined && { version }) };
            if (reason === undefined) record.done(key, 0);
            else record.refused(reason, { key });
          }
          await record.end('complete');
          const result: KeyTest = { namespace, time: new Date().toISOString(), keys };
          return replyJson(c, result);
        } catch (error) {
          await record.end('failed');
          throw error;
        }
      },
    }),
  ];
}
