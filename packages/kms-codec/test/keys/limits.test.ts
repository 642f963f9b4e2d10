import { describe, expect, it } from 'vitest';
import { resolveLimits } from '../../src/keys/limits.ts';
import { codecWith, cryptoKey } from '../support/codec.ts';

const hour = 3_600_000;
const GiB = 1_073_741_824;

// [C-5]
describe('a limit', () => {
  it('has by default the value that docs/wire-formats.md states', () => {
    expect(resolveLimits()).toMatchObject({
      softAgeMs: hour,
      hardAgeMs: 86_400_000,
      softMessages: 1_048_576,
      hardMessages: 268_435_456,
      softBytes: 64 * GiB,
      hardBytes: 4_096 * GiB,
    });
  });

  it.each([
    { softAgeMs: 2 * hour },
    { hardMessages: 2 ** 29 },
    { revalidateMs: 0 },
    { softBytes: Number.NaN },
  ])('can be lowered but neither raised nor set to an invalid value (%o is rejected)', (limits) => {
    expect(() => codecWith({ pay: { encrypt: cryptoKey('pay') } }, { limits })).toThrow(RangeError);
  });

  it.each([
    ['softAgeMs', 'hardAgeMs'],
    ['softMessages', 'hardMessages'],
    ['softBytes', 'hardBytes'],
  ] as const)('%s is at most %s', (soft, hard) => {
    expect(resolveLimits({ [hard]: 4 })).toMatchObject({ [soft]: 4, [hard]: 4 });
    expect(resolveLimits({ [soft]: 3, [hard]: 4 })).toMatchObject({ [soft]: 3, [hard]: 4 });
  });
});
