import { describe, expect, it } from 'vitest';
import { describeServer } from '../../src/temporal/server.ts';

const refuse = (code: number) => async () => {
  throw Object.assign(new Error('refused'), { code });
};
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const [UNAVAILABLE, UNAUTHENTICATED] = [14, 16];

const info = (name: string) => ({ namespaceInfo: { name, id: `id-of-${name}` } });

/** Describes a server that lists one namespace per page. */
async function describeWith(over: object, ...names: string[]) {
  const all = ['payments', 'orders', 'temporal-system'];
  const workflowService = {
    getClusterInfo: async () => ({ clusterId: 'cluster' }),
    listNamespaces: async ({ nextPageToken }: any) => {
      const at = nextPageToken[0] ?? 0;
      return {
        namespaces: [info(all[at]!)],
        nextPageToken: at + 1 < all.length ? Uint8Array.of(at + 1) : new Uint8Array(),
      };
    },
    describeNamespace: async ({ namespace }: any) =>
      all.includes(namespace) ? info(namespace) : await refuse(5)(),
    ...over,
  };
  const connection: any = { withDeadline: (_: number, call: () => unknown) => call(), workflowService };
  return await describeServer(connection, 'temporal:7233', names);
}

const namesOf = ({ namespaces }: Awaited<ReturnType<typeof describeServer>>) =>
  namespaces.map(({ name }) => name);

const listOnly =
  (...names: string[]) =>
  async () => ({ namespaces: names.map(info), nextPageToken: new Uint8Array() });

/** Refuses the second page. */
const listNamespaces = async ({ nextPageToken }: any) =>
  nextPageToken.length > 0
    ? await refuse(PERMISSION_DENIED)()
    : { namespaces: [{ namespaceInfo: { name: 'payments', id: 'a' } }], nextPageToken: Uint8Array.of(1) };

describe('a Temporal server', () => {
  it('is described with all its namespaces, from every page, whatever namespaces the caller requests', async () => {
    const server = await describeWith({}, 'gone');
    expect(server).toMatchObject({ address: 'temporal:7233', clusterId: 'cluster', isListed: true });
    expect(namesOf(server)).toEqual(['payments', 'orders', 'temporal-system']);
  });

  it.each([PERMISSION_DENIED, UNIMPLEMENTED])(
    'is described with those requested namespaces that exist if it refuses, with status %i, to list all',
    async (code) => {
      const server = await describeWith({ listNamespaces: refuse(code) }, 'orders', 'orders', 'gone');
      expect([server.isListed, namesOf(server)]).toEqual([false, ['orders']]);
    },
  );

  it('is treated as unable to list its namespaces if it rejects the request for the second page', async () => {
    expect(await describeWith({ listNamespaces })).toMatchObject({ isListed: false, namespaces: [] });
  });

  it('is treated as unable to list its namespaces if a proxy hides some, and is described with all namespaces that the caller requests', async () => {
    const server = await describeWith({ listNamespaces: listOnly('orders') }, 'payments', 'orders');
    expect([server.isListed, namesOf(server)]).toEqual([false, ['orders', 'payments']]);
    expect(await describeWith({ listNamespaces: listOnly() })).toMatchObject({
      isListed: false,
      namespaces: [],
    });
  });

  it('is described without its cluster id if it refuses to show the id', async () => {
    const server = await describeWith({ getClusterInfo: refuse(PERMISSION_DENIED) });
    expect(server).not.toHaveProperty('clusterId');
  });

  it.each([
    [UNAVAILABLE, 'unavailable'],
    [UNAUTHENTICATED, 'notPermitted'],
  ])('causes an error if it responds with status %i', async (code, exit) => {
    for (const method of ['getClusterInfo', 'listNamespaces', 'describeNamespace'])
      await expect(
        describeWith({ listNamespaces: refuse(PERMISSION_DENIED), [method]: refuse(code) }, 'orders'),
      ).rejects.toMatchObject({ exit });
  });
});
