import { describe, expect, it } from 'vitest';
import {
  createVersion,
  effectivePrimary,
  nextEvent,
  setPrimary,
  versionToEncrypt,
  type CryptoKey,
  type MaterialSource,
} from '../../src/model/crypto-key.ts';
import { scheduleDestruction } from '../../src/model/key-version.ts';
import { checkSchedule } from '../../src/model/rotation.ts';

const DAY = 24 * 3600 * 1000;
const source: MaterialSource = { material: () => 'AAAA', locator: String };

const keyWith = (changes: Partial<CryptoKey> = {}): CryptoKey => ({
  name: 'projects/p/locations/l/keyRings/r/cryptoKeys/k',
  purpose: 'ENCRYPT_DECRYPT',
  createTime: 0,
  importOnly: false,
  destroyScheduledDuration: 30 * DAY,
  versions: [],
  template: { protectionLevel: 'SOFTWARE', algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
  labels: {},
  ...changes,
});

describe('a rotation schedule', () => {
  it.each([
    ['a period of 24 hours', { period: DAY, next: 1 }, true],
    ['a period of 876,000 hours', { period: 36_500 * DAY, next: 1 }, true],
    ['a next time alone', { next: 1 }, true],
    ['neither', {}, true],
    ['a shorter period', { period: DAY - 1, next: 1 }, false],
    ['a longer period', { period: 36_500 * DAY + 1, next: 1 }, false],
    ['a period alone', { period: DAY }, false],
    ['a next time that is now', { period: DAY, next: 0 }, false],
  ])('with %s is accepted if and only if Cloud KMS accepts it', (_, schedule, right) => {
    const check = () => checkSchedule('ENCRYPT_DECRYPT', schedule, 0);
    if (right) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ status: 'INVALID_ARGUMENT' }));
  });
});

describe('the primary version', () => {
  it('can be reset to the previous version during the propagation delay', () => {
    const key = keyWith();
    createVersion(key, 0, source, 0);
    createVersion(key, 0, source, 0);
    setPrimary(key, 1, 0, 0);
    setPrimary(key, 2, 0, 60);
    setPrimary(key, 1, 30, 60);
    expect([31, 61, 91].map((now) => effectivePrimary(key, now)?.number)).toEqual([1, 1, 1]);
  });

  it('can only be set to an enabled version', () => {
    const key = keyWith();
    createVersion(key, 0, source, 5);
    expect(() => setPrimary(key, 1, 0, 0)).toThrow(
      expect.objectContaining({
        status: 'FAILED_PRECONDITION',
        details: {
          violations: [{ type: 'KEY_PENDING_GENERATION', subject: `${key.name}/cryptoKeyVersions/1` }],
        },
      }),
    );
  });

  it('stays the primary version when its destruction is scheduled, so that Encrypt fails instead of using another version', () => {
    const key = keyWith();
    const version = createVersion(key, 0, source, 0);
    createVersion(key, 0, source, 0);
    setPrimary(key, 1, 0, 0);
    scheduleDestruction(version, 'the/version', 0, 30 * DAY, 0);
    expect(nextEvent(key)).toBe(30 * DAY);
    expect(() => versionToEncrypt(key, undefined, 1)).toThrow(/current state is: DESTROY_SCHEDULED/);
    expect(versionToEncrypt(key, 2, 1).number).toBe(2);
  });
});
