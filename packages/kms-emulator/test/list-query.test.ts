import { describe, expect, it } from 'vitest';
import { code } from './conformance/fixture.ts';
import { once, refusalCode } from './support/client.ts';
import { DAY, KEY, RING, start } from './support/running.ts';

async function threeVersions() {
  const { emulator, client } = await start({ keys: [KEY, `${RING}/cryptoKeys/other`] });
  await emulator.setTime(new Date('2030-01-01T00:00:00Z'));
  await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
  await emulator.advance(10 * DAY);
  await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
  await client.updateCryptoKeyVersion({
    cryptoKeyVersion: { name: `${KEY}/cryptoKeyVersions/2`, state: 'DISABLED' },
    updateMask: { paths: ['state'] },
  });
  const versions = async (filter: string, orderBy = '') => {
    const [found] = await client.listCryptoKeyVersions({ parent: KEY, filter, orderBy });
    return found.map(({ name }) => Number(name?.split('/').at(-1)));
  };
  return { emulator, client, versions };
}

describe('list filters and orders', () => {
  it.each([
    ['', [1, 2, 3]],
    ['state=ENABLED', [1, 3]],
    ['state != ENABLED', [2]],
    ['state=DISABLED OR state=DESTROYED', [2]],
    ['NOT state=DISABLED', [1, 3]],
    ['-state=DISABLED AND name:cryptoKeyVersions/3', [3]],
    ['createTime>=2030-01-01T00:00:00Z', [2, 3]],
    ['create_time > "2030-01-05T00:00:00Z"', [3]],
    ['(state=ENABLED AND create_time > 2030-01-05T00:00:00Z) OR state=DISABLED', [2, 3]],
    ['destroyTime:*', []],
    ['nothing=1', []],
  ])('select versions by %s', async (filter, expected) => {
    const { versions } = await threeVersions();
    expect(await versions(filter)).toEqual(expected);
  });

  it('give OR precedence over AND', async () => {
    const { versions } = await threeVersions();
    expect(await versions('state=DISABLED OR state=ENABLED AND name:Versions/1')).toEqual([1]);
  });

  it('select keys by durations, labels, and fields of the primary version', async () => {
    const { client } = await threeVersions();
    await client.updateCryptoKey({
      cryptoKey: { name: KEY, labels: { team_a: 'payments' } },
      updateMask: { paths: ['labels'] },
    });
    const names = async (filter: string) => {
      const [found] = await client.listCryptoKeys({ parent: RING, filter });
      return found.map(({ name }) => name);
    };
    expect(await names('primary.state=ENABLED')).toHaveLength(2);
    expect(await names('labels.team_a=payments')).toEqual([KEY]);
    expect(await names('destroyScheduledDuration>86400s')).toHaveLength(2);
    expect(await names('versionTemplate.protectionLevel=HSM')).toEqual([]);
  });

  it('sort by several fields', async () => {
    const { versions } = await threeVersions();
    expect(await versions('', 'name desc')).toEqual([3, 2, 1]);
    expect(await versions('', 'state, createTime desc')).toEqual([2, 3, 1]);
  });

  it('page through the selected items, and refuse a page token that was issued for another filter', async () => {
    const { client } = await threeVersions();
    const request = { parent: KEY, filter: 'state=ENABLED', pageSize: 1 };
    const page = { ...once, autoPaginate: false };
    const [, , first] = await client.listCryptoKeyVersions(request, page);
    expect(first).toMatchObject({ totalSize: 0 });
    const pageToken = first?.nextPageToken ?? '';
    const [second] = await client.listCryptoKeyVersions({ ...request, pageToken }, page);
    expect(second.map(({ name }) => name)).toEqual([`${KEY}/cryptoKeyVersions/3`]);
    const other = client.listCryptoKeyVersions({ parent: KEY, pageToken }, page);
    expect(await refusalCode(other)).toBe(code.INVALID_ARGUMENT);
  });

  it.each(['state', 'state=', '(state=ENABLED', 'state=ENABLED state', 'createTime>yesterday', '=1', 'AND'])(
    'refuse the filter %s',
    async (filter) => {
      const { client } = await threeVersions();
      expect(await refusalCode(client.listCryptoKeyVersions({ parent: KEY, filter }))).toBe(
        code.INVALID_ARGUMENT,
      );
    },
  );

  it('refuse an order with an unknown direction', async () => {
    const { client } = await threeVersions();
    const call = client.listCryptoKeyVersions({ parent: KEY, orderBy: 'name up' });
    expect(await refusalCode(call)).toBe(code.INVALID_ARGUMENT);
  });
});
