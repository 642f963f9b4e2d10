import { describe, expect, it, vi } from 'vitest';
import type { KmsCodecOptions } from '../../src/index.ts';
import { codecWith as impatientCodec, cryptoKey, inNamespace, json, valueOf } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';

const rule = { pay: { encrypt: cryptoKey('pay') }, ship: { encrypt: cryptoKey('ship') } };
const pay = inNamespace('pay');
const ship = inNamespace('ship');

/** Creates codecs whose calls do not time out if the test machine is slow. */
const codecWith: typeof impatientCodec = (namespaces, options) =>
  impatientCodec(namespaces, { waitMs: { activity: 20_000, other: 20_000 }, ...options });

/** Holds back every unwrap response until the test releases it. */
class HeldKeyService extends FakeKeyService {
  isHolding = false;
  /** Number of calls that have begun, whether or not they have a response. */
  begun = 0;
  readonly #held: (() => void)[] = [];

  override async unwrap(request: Parameters<FakeKeyService['unwrap']>[0]): Promise<Uint8Array> {
    this.begun += 1;
    if (this.isHolding) await new Promise<void>((resolve) => void this.#held.push(resolve));
    return await super.unwrap(request);
  }

  /** Releases the response of the call that has waited longest. */
  answerOne(): void {
    this.#held.shift()?.();
  }

  /** Releases the responses of all calls, including later calls. */
  answerAll(): void {
    this.isHolding = false;
    for (const answer of this.#held.splice(0)) answer();
  }
}

/** Counts concurrent calls by crypto key. */
class WatchedKeyService extends FakeKeyService {
  readonly most = new Map<string, number>();
  readonly #now = new Map<string, number>();

  override async unwrap(request: Parameters<FakeKeyService['unwrap']>[0]): Promise<Uint8Array> {
    const { key } = request;
    const now = (this.#now.get(key) ?? 0) + 1;
    this.#now.set(key, now);
    this.most.set(key, Math.max(now, this.most.get(key) ?? 0));
    try {
      return await super.unwrap(request);
    } finally {
      this.#now.set(key, (this.#now.get(key) ?? 1) - 1);
    }
  }
}

/** Encrypts messages, each under a different data key. */
const encryptApart = async (keyService: FakeKeyService, count: number, context = pay) => {
  const each = Array.from({ length: count }, (_, n) =>
    codecWith(rule, { keyService }).codec.encode([json(n)], context),
  );
  return (await Promise.all(each)).flat();
};

describe('callsInFlight', () => {
  it('limits one namespace’s calls without delaying another namespace’s calls', async () => {
    const keyService = new WatchedKeyService();
    const payments = await encryptApart(keyService, 50);
    const shipments = await encryptApart(keyService, 10, ship);
    const { codec } = codecWith(rule, { keyService, limits: { callsInFlight: 16 } });
    keyService.latencyMs = 20;
    const [decoded, shipped] = await Promise.all([
      codec.decode(payments, pay),
      codec.decode(shipments, ship),
    ]);
    expect(decoded.map(valueOf)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(shipped).toHaveLength(10);
    expect(Object.fromEntries(keyService.most)).toEqual({ [cryptoKey('pay')]: 16, [cryptoKey('ship')]: 10 });
  });

  it('starts the next call after a failed call', async () => {
    const keyService = new FakeKeyService();
    const encrypted = await encryptApart(keyService, 5);
    const { codec } = codecWith(rule, { keyService, limits: { callsInFlight: 1 } });
    keyService.failing = 'key_disabled';
    await expect(codec.decode(encrypted.slice(0, 3), pay)).rejects.toMatchObject({ code: 'key_disabled' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    keyService.failing = undefined;
    expect(await codec.decode(encrypted.slice(3), pay)).toHaveLength(2);
  });
});

/**
 * Starts to decode 39 payloads with at most two concurrent calls. `decodeFirst` decodes one more payload.
 */
const decodeMany = async (waitMs?: KmsCodecOptions['waitMs']) => {
  const keyService = new HeldKeyService();
  const encrypted = await encryptApart(keyService, 40);
  const { codec } = codecWith(rule, { keyService, limits: { callsInFlight: 2 }, ...(waitMs && { waitMs }) });
  keyService.isHolding = true;
  const decoding = codec.decode(encrypted.slice(1), pay);
  decoding.catch(() => undefined);
  await expect.poll(() => keyService.begun).toBe(2);
  const decodeFirst = () => codec.decode(encrypted.slice(0, 1), { ...pay, type: 'activity' });
  return { keyService, decoding, decodeFirst };
};

describe('callsInFlight with a call that waits for a slot', () => {
  it('does not start a queued Cloud KMS call if all callers that need it have timed out', async () => {
    const { keyService, decoding, decodeFirst } = await decodeMany({ other: 30, activity: 20_000 });
    await expect(decoding).rejects.toMatchObject({ code: 'kms_unavailable' });
    keyService.answerAll();
    await decodeFirst();
    // The two calls that were in flight, and the call of the last decode.
    expect(keyService.begun).toBe(3);
  });

  it('does not start a queued Cloud KMS call if the codec call that needs it has failed', async () => {
    const { keyService, decoding, decodeFirst } = await decodeMany();
    keyService.failing = 'key_disabled';
    keyService.answerOne();
    await expect(decoding).rejects.toMatchObject({ code: 'key_disabled' });
    keyService.failing = undefined;
    keyService.answerAll();
    await decodeFirst();
    // Calls that were in flight before or just after the failure, and the call of the last decode.
    expect(keyService.begun).toBeLessThanOrEqual(4);
  });
});

describe('a codec call that its caller has aborted', () => {
  it.each([
    ['before it began', 0],
    ['during a call to Cloud KMS', 2],
  ])('%s rejects with the abort reason and makes no further Cloud KMS calls', async (_, begun) => {
    const keyService = new HeldKeyService();
    const encrypted = await encryptApart(keyService, 40);
    const refused: unknown[] = [];
    const { codec } = codecWith(rule, {
      keyService,
      limits: { callsInFlight: 2 },
      observer: { refused: (one) => refused.push(one) },
    });
    keyService.isHolding = true;
    const leave = new AbortController();
    if (begun === 0) leave.abort(new Error('left'));
    const asked = codec.decode(encrypted, pay, leave);
    asked.catch(() => undefined);
    await expect.poll(() => keyService.begun).toBe(begun);
    leave.abort(new Error('left'));
    await expect(asked).rejects.toMatchObject({ message: 'left' });
    keyService.answerAll();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(keyService.begun).toBe(begun);
    expect(refused).toEqual([]);
  });

  it('adds only one listener to the abort signal, however many calls wait for Cloud KMS', async () => {
    const keyService = new FakeKeyService();
    const encrypted = await encryptApart(keyService, 2);
    const { codec } = codecWith(rule, { keyService });
    keyService.latencyMs = 30;
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const all = Array.from({ length: 100 }, (_, n) => codec.decrypt(encrypted[n % 2]!, pay, { signal }));
    await Promise.all(all);
    expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([1, 1]);
  });

  it('does not end a Cloud KMS call whose data key other callers need', async () => {
    const keyService = new FakeKeyService();
    const [encrypted] = await encryptApart(keyService, 1);
    const { codec } = codecWith(rule, { keyService });
    keyService.latencyMs = 60;
    const leave = new AbortController();
    const left = codec.decode([encrypted!], pay, leave);
    const stays = codec.decode([encrypted!], pay, new AbortController());
    leave.abort(new Error('left'));
    await expect(left).rejects.toMatchObject({ message: 'left' });
    expect((await stays).map(valueOf)).toEqual([0]);
  });
});

const long = (bytes: number) => Buffer.from('A'.repeat(bytes));

describe('a wrapped data key that is longer than 1,024 bytes', () => {
  const address = Buffer.from(`gcpkms://${cryptoKey('pay')}`);
  it.each([
    ['envelope', { encoding: Buffer.from('binary/envelope-kms'), 'encrypted-dek': long(1_025) }],
    [
      'proxy',
      {
        encoding: Buffer.from('binary/encrypted'),
        'encryption-key-id': address,
        'encryption-dek': long(9 * 2 ** 20),
      },
    ],
  ])(
    'is rejected as malformed in the format %s, without a Cloud KMS call, and is not cached',
    async (format, metadata) => {
      const keyService = new FakeKeyService();
      const reads = { pay: { encrypt: cryptoKey('pay'), reads: ['envelope', 'proxy'] } } as const;
      const { codec } = codecWith(reads, { keyService });
      const payload = { metadata, data: Buffer.alloc(64) };
      expect(codec.plan([payload], pay).kmsCalls, format).toBe(0);
      await expect(codec.decode([payload], pay)).rejects.toMatchObject({ code: 'malformed' });
      expect(keyService.unwraps).toBe(0);
    },
  );
});
