import { describe, expect, it } from 'vitest';
import { code } from './conformance/fixture.ts';
import { refusalCode } from './support/client.ts';
import { start } from './support/running.ts';

describe('the locations service', () => {
  it('returns a location with its protection levels', async () => {
    const { client } = await start();
    const name = 'projects/p/locations/us-east1';
    // Like the client's other methods, this method resolves with an array, although its declared type
    // differs.
    const [location]: any = await client.getLocation({ name });
    expect(location).toMatchObject({ name, locationId: 'us-east1' });
    expect(location.metadata.type_url).toMatch(/LocationMetadata$/);
    expect([...location.metadata.value]).toEqual([8, 1]);
  });

  it('reports a location that Cloud KMS does not have', async () => {
    const { client } = await start();
    const call = Promise.resolve(client.getLocation({ name: 'projects/p/locations/nowhere' }));
    expect(await refusalCode(call)).toBe(code.NOT_FOUND);
  });

  it('lists all locations', async () => {
    const { client } = await start();
    const ids: string[] = [];
    for await (const { locationId } of client.listLocationsAsync({ name: 'projects/p' }))
      ids.push(locationId ?? '');
    expect(ids).toEqual(expect.arrayContaining(['europe-west3', 'global', 'us-east1']));
    expect(ids).toEqual(ids.toSorted((one, other) => (one < other ? -1 : 1)));
  });
});
