import { describe, expect, it } from 'vitest';
import { BranchKeyStoreError } from '../../src/branch-keys/store.ts';
import { KmsCodecError } from '../../src/errors.ts';
import { BranchKeyReader } from '../../src/keys/branch-key-reader.ts';
import { cryptoKey } from '../support/codec.ts';
import { settle } from '../support/fleet.ts';
import { collectUnhandled } from '../support/unhandled.ts';

const bytes = new Uint8Array(1);
const scope = { id: 'pay', namespace: 'pay', cryptoKey: cryptoKey('pay'), aad: bytes, info: bytes };

/**
 * Returns a reader that follows one scope, and the times (s) at which it queries the store, which `answer`
 * simulates.
 */
function readerOf(answer: () => Promise<number>) {
  let time = 0;
  const queries: number[] = [];
  const unwrapStored = () => {
    queries.push(time / 1000);
    return answer();
  };
  const reader = new BranchKeyReader({ unwrapStored }, 10, () => time);
  reader.follow(scope);
  /** Calls `maintain` each second. */
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      reader.maintain(() => false);
      await settle(2);
      time += 1000;
    }
  };
  return { reader, queries, pass };
}

describe('BranchKeyReader', () => {
  it('queries the store once per minute, even while the process reads further messages', async () => {
    const { reader, queries, pass } = readerOf(async () => 0);
    for (let second = 0; second < 180; second += 10) {
      reader.follow(scope);
      await pass(10);
    }
    expect(queries).toEqual([0, 60, 120]);
  });

  it('queries the store again only when another key can be expected', async () => {
    const { queries, pass } = readerOf(async () => 150_000);
    await pass(200);
    expect(queries).toEqual([0, 150]);
  });

  it('makes no second query while the first query has no response', async () => {
    const { queries, pass } = readerOf(() => new Promise(() => undefined));
    await pass(180);
    expect(queries).toEqual([0]);
  });

  it.each([
    ['ignores a failure of the store', new BranchKeyStoreError('unavailable', 'gone'), []],
    ['ignores a failure of Cloud KMS', new KmsCodecError('kms_unavailable', 'gone'), []],
    ['does not hide a bug', new TypeError('bug'), ['bug', 'bug']],
  ])('%s, and queries the store again after a minute', async (_, error, expected) => {
    const unhandled = collectUnhandled();
    const { queries, pass } = readerOf(() => Promise.reject(error));
    await pass(61);
    expect(unhandled.map((each) => each instanceof Error && each.message)).toEqual(expected);
    expect(queries).toEqual([0, 60]);
  });
});
