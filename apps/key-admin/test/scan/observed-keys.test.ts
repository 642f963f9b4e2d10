import { join } from 'node:path';
import { expect, it } from 'vitest';
import { observeKeys } from '../../src/scan/observed-keys.ts';
import { temporaryFolder } from '../support/cli.ts';
import { KEY } from '../support/messages.ts';

const HOUR = 3_600_000;
const start = Date.UTC(2030, 0, 1);

const version = (number: number) => ({
  version: number,
  state: 'ENABLED' as const,
  created: undefined,
  destroyTime: undefined,
});

it('returns the time when a scan last found a version primary', async () => {
  const path = join(await temporaryFolder(), 'crypto-keys.json');
  const observe = async (primary: number, hours: number) => {
    const description = {
      key: KEY,
      protectionLevel: 'SOFTWARE',
      primary,
      rotationPeriodSeconds: undefined,
      nextRotation: undefined,
      versions: [version(1), version(2)],
    };
    const [key] = await observeKeys(path, [description], new Date(start + hours * HOUR));
    return key!.versions.map(({ lastPrimary }) => lastPrimary && (Date.parse(lastPrimary) - start) / HOUR);
  };
  expect(await observe(1, 0)).toEqual([0, undefined]);
  expect(await observe(1, 1)).toEqual([1, undefined]);
  expect(await observe(1, 2)).toEqual([2, undefined]);
  expect(await observe(2, 3)).toEqual([2, 3]);
  expect(await observe(2, 4)).toEqual([2, 4]);
  expect(await observe(1, 5)).toEqual([5, 4]);
});
