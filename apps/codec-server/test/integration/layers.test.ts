import { type DecodeResult, readableExport, searchFrame } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import type { Access } from '../../src/access/access.ts';
import { parsePayloads } from '../../src/json/payload-json.ts';
import { MemoryBudget } from '../../src/memory.ts';
import { ana } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { bodyOf, keys, type Payload, plain, post, recordedAudit, sealedApart } from '../support/stack.ts';
import { history, lines, NAMESPACE, plantRun, postTo, resultsOf, startStack } from '../support/temporal.ts';

/*
 * Tests payloads inside encrypted payloads. The inner payloads come from a codec behind an encrypting proxy,
 * from a proxy that compresses, and from an attack that hides ciphertext of `orders` in a layer of
 * `payments`.
 */

const OWN = 'canary-inside-two-layers';
const SECRET = 'canary-of-orders-in-a-layer';
const WORKFLOW = 'layered';
const context = (namespace: string) => ({ type: 'activity', namespace, workflowId: WORKFLOW }) as const;

const encrypted = async (payload: Payload, namespace = NAMESPACE): Promise<Payload> => {
  const [message] = await stack.kms.codec.encode([payload], context(namespace));
  return message!;
};

const stack = forFile(
  await startStack({
    rules: { payments: { encrypt: keys.payments, accepts: ['orders'] }, orders: { encrypt: keys.orders } },
  }),
);
const foreign = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('not ours') };
const compressed = {
  metadata: { encoding: Buffer.from('binary/compressed'), 'compression-algorithm': Buffer.from('lz4') },
  data: Buffer.from('compressed by the proxy'),
};
const planted = {
  twice: await encrypted(await encrypted(plain(OWN))),
  copied: await encrypted(await encrypted(plain(SECRET), 'orders')),
  foreign: await encrypted(foreign),
  compressed: await encrypted(compressed),
  stored: compressed,
};
const run = await stack.connection.withDeadline(Date.now() + 30_000, () =>
  plantRun(stack, Object.values(planted), {
    workflowId: WORKFLOW,
    header: { fields: { trace: planted.twice } },
  }),
);
const stubs = (await history(stack.app, run)).flatMap(({ payloads }) => payloads);
const plantedNames = Object.keys(planted);
const refs = Object.fromEntries(
  stubs.map(({ path, ref }) => [
    plantedNames[Number(/^input\.payloads\[(\d+)\]$/.exec(path)?.[1])] ?? 'header',
    ref,
  ]),
);

const own = { payments: ['metadata', 'decode', 'search', 'export'] } as const;
const everywhere = { ...own, orders: ['decode', 'search', 'export'] } as const;

function replica(access: Access) {
  const { audit, entries: audited } = recordedAudit();
  const app = stack.replica({ access, audit });
  const decode = async (...names: string[]): Promise<DecodeResult[]> => {
    const body = { refs: names.map((name) => refs[name]) };
    return resultsOf(await postTo(app, run, 'payloads:decode', body));
  };
  return { app, audited, decode };
}

const base64 = (value: string): string => Buffer.from(value).toString('base64');

async function postDecode(access: Access, payloads: Payload[], codec = stack.kms.codec) {
  const { audit, entries: audited } = recordedAudit();
  const response = await post(stack.replica({ access, audit, codec }), '/decode', bodyOf(payloads));
  return { status: response.status, body: await response.text(), audited };
}

const textOf = (result: DecodeResult | undefined): string =>
  result?.ok ? Buffer.from(result.payload.data, 'base64').toString() : '';

describe('payloads:decode', () => {
  it.each(['twice', 'header'])('decodes a payload through all its layers: %s', async (name) => {
    const [result] = await replica(ana(own)).decode(name);
    expect(textOf(result)).toBe(JSON.stringify(OWN));
  });

  it.each(['foreign', 'compressed', 'stored'])(
    'reports `layer_unreadable` for a layer that it cannot read: %s',
    async (name) => {
      const [result] = await replica(ana(own)).decode(name);
      expect(result).toMatchObject({ ok: false, reason: 'layer_unreadable' });
    },
  );

  it("denies a caller the plaintext of another namespace inside a layer of the caller's namespace", async () => {
    const { decode, audited } = replica(ana(own));
    await using other = stack.kms.another();
    const [result] = await decode('copied');
    expect(result).toMatchObject({ ok: false, reason: 'namespace_not_permitted' });
    expect(audited.filter(({ namespace }) => namespace === 'orders')).toMatchObject([{ event: 'denied' }]);

    const before = stack.kms.emulator.calls.rows().length;
    const app = stack.replica({ access: ana(own), codec: other.codec });
    await (await postTo(app, run, 'payloads:decode', { refs: [refs['copied']] })).text();
    const kmsCalls = stack.kms.emulator.calls.rows().slice(before);
    expect(kmsCalls.length).toBe(1);
    expect(JSON.stringify(kmsCalls)).not.toContain(keys.orders);
  });

  it("writes the intent and the outcome for an inner layer to the audit of the layer's namespace", async () => {
    const { decode, audited } = replica(ana(everywhere));
    const [result] = await decode('copied');
    expect(textOf(result)).toBe(JSON.stringify(SECRET));
    const outcomes = audited.filter(({ event }) => event === 'outcome');
    expect(audited.filter(({ event }) => event === 'intent').map(({ namespace }) => namespace)).toEqual([
      'payments',
      'orders',
    ]);
    expect(outcomes.find(({ namespace }) => namespace === 'payments')?.outcome).toMatchObject({
      payloads: 1,
      keys: [{ name: keys.payments, payloads: 1 }],
    });
    expect(outcomes.find(({ namespace }) => namespace === 'orders')?.outcome).toMatchObject({
      payloads: 1,
      keys: [{ name: keys.orders, payloads: 1 }],
    });
  });
});

describe('history:search', () => {
  it('finds text in inner layers, and counts unreadable payloads', async () => {
    const { app } = replica(ana(own));
    const response = await postTo(app, run, 'history:search', { text: 'canary' });
    const found = await Array.fromAsync(lines(response, searchFrame));
    expect(found.filter(({ type }) => type === 'hit')).toHaveLength(2);
    expect(found.at(-1)).toMatchObject({
      type: 'end',
      unreadable: { layer_unreadable: 3, namespace_not_permitted: 1 },
    });
  });
});

describe.each(['decoded', 'readable'])('a %s export', (form) => {
  it('contains the innermost payloads, and marks unreadable payloads', async () => {
    const text = await (await postTo(replica(ana(own)).app, run, 'history:export', { form })).text();
    const contains = (value: string) => text.includes(value) || text.includes(base64(JSON.stringify(value)));
    expect(contains(OWN)).toBe(true);
    expect(contains(SECRET)).toBe(false);
    for (const { data } of [planted.foreign, planted.compressed])
      expect(text).not.toContain(Buffer.from(data!).toString('base64'));
    for (const unreadable of ['not ours', 'compressed by the proxy'])
      expect(text).not.toContain(base64(unreadable));
    expect(text.includes('layer_unreadable') || text.includes(base64('layer_unreadable'))).toBe(true);
    if (form === 'readable')
      expect(readableExport.parse(JSON.parse(text)).summary.unreadable).toEqual({
        layer_unreadable: 3,
        namespace_not_permitted: 1,
      });
  });
});

describe('/decode', () => {
  it('returns the innermost payloads', async () => {
    const { status, body } = await postDecode(ana(own), [planted.twice]);
    expect(status).toBe(200);
    const lease = new MemoryBudget(2 ** 24).lease();
    const answered = parsePayloads(Buffer.from(body), 10, lease);
    expect(answered.map(({ data }) => Buffer.from(data!).toString())).toEqual([JSON.stringify(OWN)]);
  });

  it.each(['foreign', 'compressed'] as const)('returns 400 instead of ciphertext: %s', async (name) => {
    const { status, body } = await postDecode(ana(own), [planted[name]]);
    expect([status, body]).toEqual([400, expect.stringContaining('layer_unreadable')]);
  });

  it('checks the caller’s permission in the namespace that an inner layer names', async () => {
    const refused = await postDecode(ana(own), [planted.copied]);
    expect([refused.status, refused.body]).toEqual([403, expect.stringContaining('orders')]);
    expect(refused.audited.filter(({ namespace }) => namespace === 'orders')).toMatchObject([
      { event: 'denied' },
    ]);
    const allowed = await postDecode(ana(everywhere), [planted.copied]);
    expect(allowed.status).toBe(200);
    expect(allowed.audited.filter(({ namespace }) => namespace === 'orders')).toMatchObject([
      { event: 'intent' },
      { event: 'outcome', outcome: { payloads: 1, keys: [{ name: keys.orders, payloads: 1 }] } },
    ]);
  });

  it('counts the wrapped keys of inner layers towards the limit of 64 uncached keys', async () => {
    const inner = await sealedApart(stack.kms, 66);
    const payloads = await stack.kms.codec.encode(inner, context(NAMESPACE));
    await using other = stack.kms.another(undefined, 60_000);
    const before = stack.kms.emulator.calls.count('Decrypt');
    const { status, body } = await postDecode(ana(own), payloads, other.codec);
    expect([status, body]).toEqual([413, expect.stringContaining('64 uncached wrapped keys')]);
    expect(stack.kms.emulator.calls.count('Decrypt') - before).toBeLessThanOrEqual(64);
    expect((await postDecode(ana(own), payloads.slice(0, 60), other.codec)).status).toBe(200);
  });
});
