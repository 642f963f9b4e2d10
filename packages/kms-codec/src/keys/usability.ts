import type { CachedKey } from './cached-keys.ts';
import type { DataKeyLimits } from './limits.ts';

/* These functions determine how long this process may use an unwrapped key. `DecryptionKeys` explains the rules. */

type Limits = Pick<DataKeyLimits, 'revalidateMs' | 'hardAgeMs'>;

/**
 * Whether a key may be used now.
 * - `hit`: the key may be used, because the last response of Cloud KMS is still valid.
 * - `stale`: the key may be used, because Cloud KMS does not respond.
 * - `unconfirmed`: the key may be used only after Cloud KMS has responded.
 * - `unusable`: the key must no longer be used.
 */
type Usability = 'hit' | 'stale' | 'unconfirmed' | 'unusable';

export const isUsable = (usability: Usability): usability is 'hit' | 'stale' =>
  usability === 'hit' || usability === 'stale';

/** Returns whether a key may be used now. The caller decides whether to call Cloud KMS. */
export function usabilityOf(cached: CachedKey, limits: Limits, now: number): Usability {
  const { access } = cached;
  if (access.isRefused || now >= usableUntil(cached, limits)) return 'unusable';
  if (now < access.confirmed + limits.revalidateMs) return 'hit';
  return access.isFailing ? 'stale' : 'unconfirmed';
}

/**
 * Returns whether to call Cloud KMS again. A response for one key counts for all keys of its version.
 * However, because a message's author names the version, each key is also unwrapped individually at half of
 * the hard age.
 */
export const isDue = ({ access, confirmed }: CachedKey, { hardAgeMs }: Limits, now: number): boolean =>
  now >= access.revalidateAt || now >= confirmed + hardAgeMs / 2;

/**
 * Returns the time until which a key may be used. A process's own key may decrypt for as long as it may
 * encrypt, even if Cloud KMS has wrapped but never unwrapped the key.
 */
export function usableUntil({ access, confirmed, isOwn }: CachedKey, { hardAgeMs }: Limits): number {
  const last = isOwn ? confirmed : Math.min(access.confirmed, confirmed);
  return last + hardAgeMs;
}
