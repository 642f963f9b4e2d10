import type { ReasonCode } from '@temporal-kms/codec-api';
import { type KeyDescription, type KeyService, KmsCodecError, WaitTimer } from '@temporal-kms/kms-codec';
import { LRUCache } from 'lru-cache';
import { DESCRIBED_AT_ONCE } from './kms-limits.ts';

/** What Cloud KMS says of a key, or why it says nothing. */
export type Described =
  | { readonly description: KeyDescription; readonly at: number }
  | { readonly reason: ReasonCode };

export interface DescribedKeysOptions {
  readonly keyService: Pick<KeyService, 'describe'>;
  /** Milliseconds that one look-up may take. Default 5,000. */
  readonly waitMs?: number;
  /** Milliseconds that an answer is kept. Default 30,000. */
  readonly keepMs?: number;
}

export interface DescribedKeys {
  of(key: string): Promise<Described>;
  /** Each with its answer, in their order; a few are asked for at a time. */
  ofEach(keys: readonly string[]): Promise<readonly (readonly [key: string, Described])[]>;
}

/**
 * Asks Cloud KMS what became of keys, once for all who ask at the same time, and remembers the answer for seconds:
 * a page that many people watch makes a few calls a minute. Never rejects.
 */
export function describedKeys({
  keyService,
  waitMs = 5_000,
  keepMs = 30_000,
}: DescribedKeysOptions): DescribedKeys {
  const known = new LRUCache<string, Promise<Described>>({ max: 1_024, ttl: keepMs });
  const of = (key: string): Promise<Described> => {
    const kept = known.get(key);
    if (kept !== undefined) return kept;
    const asked = ask(keyService, key, waitMs);
    known.set(key, asked);
    return asked;
  };
  return {
    of,
    ofEach: async (keys) => {
      const told: (readonly [string, Described])[] = [];
      for (let at = 0; at < keys.length; at += DESCRIBED_AT_ONCE) {
        const some = keys.slice(at, at + DESCRIBED_AT_ONCE);
        told.push(...(await Promise.all(some.map(async (key) => [key, await of(key)] as const))));
      }
      return told;
    },
  };
}

async function ask(
  keyService: Pick<KeyService, 'describe'>,
  key: string,
  waitMs: number,
): Promise<Described> {
  const late = Promise.withResolvers<Described>();
  const timer = new WaitTimer(waitMs, () => late.resolve({ reason: 'kms_unavailable' }));
  try {
    const told = keyService.describe(key).then((description) => ({ description, at: Date.now() }));
    return await Promise.race([told, late.promise]);
  } catch (error) {
    return { reason: error instanceof KmsCodecError ? error.code : 'kms_unavailable' };
  } finally {
    timer.stop();
  }
}
