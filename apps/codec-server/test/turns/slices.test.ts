import { setImmediate as nextTurn } from 'node:timers/promises';
import { createCipheriv } from 'node:crypto';
import { request } from 'node:http';
import { digestsWith } from '@temporal-kms/audit';
import { Hono } from 'hono';
import { describe, expect, it, vi } from 'vitest';
import type { Env } from '../../src/http/context.ts';
import { ndjson, reply } from '../../src/http/responses.ts';
import { withDeferredData } from '../../src/json/bytes.ts';
import { buildPayloads, parseInSteps, parsePayloads, writePayloads } from '../../src/json/payload-json.ts';
import { digestsOf } from '../../src/protocol/payload-digests.ts';
import { inTurns, ownTurn, SLICE_BYTES, Slices, type Steps } from '../../src/turns/slices.ts';
import { served } from '../support/served.ts';
import { plain } from '../support/stack.ts';

const MiB = 2 ** 20;
/** Bytes without repetition, so that a piece in the wrong place is noticed. */
const data = createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(Buffer.alloc(12 * MiB));
const lease = { take: () => undefined, release: () => undefined };

function* oneStep(bytes: number): Steps<string> {
  yield bytes;
  return 'done';
}

/** Returns how many turns of the event loop the work takes. */
async function turnsOf<T>(work: Promise<T> | T): Promise<{ readonly turns: number; readonly result: T }> {
  let turns = 0;
  const ended = new AbortController();
  const done = Promise.resolve(work).finally(() => ended.abort());
  while (!ended.signal.aborted) {
    await nextTurn();
    turns += 1;
  }
  return { turns, result: await done };
}

describe('event loop turns', () => {
  it('resume one waiting call at a time, in the order of the calls, and leave turns between them for other work', async () => {
    const order: string[] = [];
    const caller = async (name: string): Promise<void> => {
      for (let n = 0; n < 3; n += 1) {
        await ownTurn();
        order.push(name);
      }
    };
    const others = async (): Promise<void> => {
      for (let n = 0; n < 30; n += 1) {
        await nextTurn();
        order.push('.');
      }
    };
    await Promise.all([caller('a'), caller('b'), caller('c'), others()]);
    expect(order.join('').replaceAll('.', '')).toBe('abcabcabc');
    expect(order.join('')).toMatch(/^(?:\.{2,4}a\.{2,4}b\.{2,4}c){3}/);
  });

  it('end once a slice of work is done; work within a slice takes no additional turn', async () => {
    const slices = new Slices();
    expect(slices.next(SLICE_BYTES)).toBeUndefined();
    expect(slices.next(1)).toBeInstanceOf(Promise);
    expect(slices.next(SLICE_BYTES - 1)).toBeUndefined();
    expect(slices.next(1)).toBeInstanceOf(Promise);
    expect(inTurns(oneStep(SLICE_BYTES))).toBe('done');
    expect(inTurns(oneStep(SLICE_BYTES + 1))).toBeInstanceOf(Promise);
  });
});

describe('a payload of 12 MiB', () => {
  const slices = (12 * MiB) / SLICE_BYTES;

  it.each([
    ['in the form that clients send', (body: string) => body],
    ['with an unknown field', (body: string) => body.replace('{"metadata"', '{"more":1,"metadata"')],
    ['with escaped padding', (body: string) => body.replace(/"\}\]\}$/, String.raw`\u003d\u003d"}]}`)],
  ])('is parsed in slices if it is %s', async (_, change) => {
    const payload = { ...plain(1), data: data.subarray(0, -2) };
    const whole = change(String(buildPayloads([payload])).replace(/=+"\}\]\}$/, '"}]}'));
    const { turns, result } = await turnsOf(inTurns(parseInSteps(Buffer.from(whole), 1, lease)));
    expect(turns).toBeGreaterThan(slices);
    expect(Buffer.compare(result[0]!.data!, payload.data)).toBe(0);
    expect(Buffer.compare(parsePayloads(Buffer.from(whole), 1)[0]!.data!, payload.data)).toBe(0);
  });

  it('is rejected if its base64 is invalid in a late slice', async () => {
    const body = String(buildPayloads([{ ...plain(1), data }])).replace(/.{9}"\}\]\}$/, '*aaaaaaaa"}]}');
    await expect(inTurns(parseInSteps(Buffer.from(body), 1, lease))).rejects.toMatchObject({
      status: 400,
      code: 'bad_request',
    });
  });

  it('is hashed in slices', async () => {
    const digests = digestsWith(Buffer.alloc(32, 1));
    const infos = [{ format: 'envelope-v2' as const }];
    const { turns, result } = await turnsOf(inTurns(digestsOf(digests, [{ data }], infos, 'payments')));
    expect(turns).toBeGreaterThanOrEqual(slices);
    expect(result.get('payments')).toEqual([digests.of(data)]);
  });

  it('is written in pieces of at most one slice, which together form the body', () => {
    const payloads = [plain('small'), { ...plain(1), data }, plain('last')];
    const body = writePayloads(payloads);
    const pieces = [...body.pieces()];
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(SLICE_BYTES);
    expect(Buffer.concat(pieces).equals(buildPayloads(payloads))).toBe(true);
    expect(body.length).toBe(buildPayloads(payloads).length);
  });

  it.each([
    ['in one response', (c: any) => reply(c, writePayloads([{ ...plain(1), data }]), 'application/json')],
    [
      'in one line of a stream',
      (c: any) =>
        ndjson(c, async function* line() {
          yield withDeferredData({ payload: { data: '' } }, data);
        }),
    ],
  ])('is sent in one slice per turn %s, even to a client that reads fast', async (_, answer) => {
    const app = new Hono<Env>();
    app.get('/', (c) => {
      c.set('headers', {});
      return answer(c);
    });
    const { url } = await served(() => app);
    const immediate = vi.spyOn(globalThis, 'setImmediate');
    const bytes = await new Promise<number>((resolve, reject) => {
      request(url, (response) => {
        let read = 0;
        response.on('data', (chunk: Buffer) => (read += chunk.length));
        response.on('end', () => resolve(read));
      })
        .on('error', reject)
        .end();
    });
    expect(bytes).toBeGreaterThan(16 * MiB);
    expect(immediate.mock.calls.length).toBeGreaterThanOrEqual(slices);
    immediate.mockRestore();
  });
});
