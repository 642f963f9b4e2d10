import { describe, expect, it } from 'vitest';
import { checkId, parseCryptoKey, parseKeyRing, parseLocation, parseVersion } from '../../src/model/names.ts';

const RING = 'projects/p/locations/l/keyRings/r';
const invalid = expect.objectContaining({ status: 'INVALID_ARGUMENT' });

describe('resource names', () => {
  it('have a project, location, parent and id', () => {
    expect(parseVersion(`${RING}/cryptoKeys/k/cryptoKeyVersions/12`)).toMatchObject({
      project: 'p',
      location: 'l',
      parent: `${RING}/cryptoKeys/k`,
      number: 12,
    });
    expect(parseCryptoKey(`${RING}/cryptoKeys/k`)).toMatchObject({ parent: RING, id: 'k' });
    expect(parseKeyRing(RING)).toMatchObject({ parent: 'projects/p/locations/l', id: 'r' });
    expect(parseLocation('projects/example.com:p/locations/us-east1')).toMatchObject({
      project: 'example.com:p',
    });
  });

  it.each([
    ['', parseLocation],
    ['projects//locations/l', parseLocation],
    ['projects/p/locations/l/', parseLocation],
    [`/${RING}`, parseKeyRing],
    [`${RING}/`, parseKeyRing],
    [`${RING}\n`, parseKeyRing],
    ['projects/p/locations/l/keyRings/r.1', parseKeyRing],
    [`projects/p/locations/l/keyRings/${'r'.repeat(64)}`, parseKeyRing],
    [RING, parseCryptoKey],
    [`${RING}/cryptoKeys/k/cryptoKeyVersions/1`, parseCryptoKey],
    [`${RING}/cryptoKeys/k/cryptoKeyVersions/0`, parseVersion],
    [`${RING}/cryptoKeys/k/cryptoKeyVersions/01`, parseVersion],
    [`${RING}/cryptoKeys/k/cryptoKeyVersions/one`, parseVersion],
  ])('are refused if malformed: %j', (name, parse) => {
    expect(() => parse(name)).toThrow(invalid);
  });

  it.each(['a', 'A_z-9', 'x'.repeat(63)])('may contain the id %s', (id) => {
    expect(() => checkId('key_ring_id', id)).not.toThrow();
  });

  it.each(['', '&bar', 'a b', 'ä', 'x'.repeat(64)])('must not contain the id %j', (id) => {
    expect(() => checkId('key_ring_id', id)).toThrow(invalid);
  });
});
