import { describe, expect, it } from 'vitest';
import { type BranchKeyEntry, parseEntry, serializeEntry } from '../../src/branch-keys/entry.ts';
import { branchKeyId } from '../../src/branch-keys/store.ts';
import { cryptoKey } from '../support/codec.ts';

const stored = (fill: number) => ({
  wrapped: new Uint8Array(120).fill(fill),
  keyVersion: fill,
  created: 1_790_000_000_000 + fill,
  proof: new Uint8Array(16).fill(fill),
});
const entry: BranchKeyEntry = { current: stored(1), next: stored(2) };
const json = () => JSON.parse(new TextDecoder().decode(serializeEntry(entry)));
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

// [B-2]
describe('a store entry', () => {
  it('is unchanged after it is serialized and parsed, with and without a next key', () => {
    expect(parseEntry(serializeEntry(entry))).toEqual(entry);
    expect(parseEntry(serializeEntry({ current: stored(3) }))).toEqual({ current: stored(3) });
  });

  it('contains only wrapped keys, their versions, dates and proofs', () => {
    expect(Object.keys(json())).toEqual(['version', 'current', 'next']);
    expect(Object.keys(json().current)).toEqual(['wrapped', 'keyVersion', 'created', 'proof']);
  });

  it('is refused with unsupported_version if its format version is newer, whatever else the entry contains', () => {
    expect(() => parseEntry(bytes({ version: 2, keys: [] }))).toThrow(
      expect.objectContaining({ code: 'unsupported_version' }),
    );
  });

  it.each<[string, (value: any) => unknown]>([
    ['no object', () => [1]],
    ['no version', ({ current }) => ({ current })],
    ['a version that is not a number', (value) => ({ ...value, version: '1' })],
    ['no current key', ({ version, next }) => ({ version, next })],
    ['an unknown field', (value) => ({ ...value, more: 1 })],
    ['an unknown field of a key', (value) => ({ ...value, next: { ...value.next, more: 1 } })],
    ['an empty wrapped key', (value) => ({ ...value, current: { ...value.current, wrapped: '' } })],
    [
      'a wrapped key above 1 KiB',
      (value) => ({
        ...value,
        current: { ...value.current, wrapped: Buffer.alloc(1025).toString('base64') },
      }),
    ],
    ['a wrapped key in base64url', (value) => ({ ...value, current: { ...value.current, wrapped: 'a-_' } })],
    ['a short proof', (value) => ({ ...value, current: { ...value.current, proof: 'AAAA' } })],
    [
      'a long proof',
      (value) => ({ ...value, current: { ...value.current, proof: Buffer.alloc(17).toString('base64') } }),
    ],
    ['key version 0', (value) => ({ ...value, current: { ...value.current, keyVersion: 0 } })],
    [
      'a date that does not fit into 6 bytes',
      (value) => ({ ...value, current: { ...value.current, created: 2 ** 48 } }),
    ],
    ['a date before 1970', (value) => ({ ...value, current: { ...value.current, created: -1 } })],
    ['a date with a fraction', (value) => ({ ...value, current: { ...value.current, created: 1.5 } })],
    ['a date that is not a number', (value) => ({ ...value, current: { ...value.current, created: '1' } })],
  ])('is malformed with %s', (_, change) => {
    expect(() => parseEntry(bytes(change(json())))).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it.each([
    ['empty', new Uint8Array()],
    ['not JSON', new TextEncoder().encode('{"version":1,')],
    ['not UTF-8', Buffer.from('{"version":2,"more":"\xff"}', 'latin1')],
    ['above 8 KiB', new TextEncoder().encode(`${' '.repeat(8192)}${JSON.stringify(json())}`)],
  ])('is malformed if it is %s', (_, value) => {
    expect(() => parseEntry(value)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('may be 8 KiB in size', () => {
    const padded = JSON.stringify(json()).padEnd(8192);
    expect(parseEntry(new TextEncoder().encode(padded))).toEqual(entry);
  });

  it('is malformed wherever it is truncated', () => {
    const whole = serializeEntry(entry);
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => parseEntry(whole.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'malformed' }),
      );
    }
  });
});

// [B-1]
describe('branchKeyId', () => {
  it('returns ids that are safe as file names, and that differ between crypto keys and namespaces', () => {
    const ids = [
      branchKeyId(cryptoKey('a'), 'pay'),
      branchKeyId(cryptoKey('b'), 'pay'),
      branchKeyId(cryptoKey('a'), '../../etc/passwd'),
    ];
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}-[0-9a-f]{32}$/);
  });
});
