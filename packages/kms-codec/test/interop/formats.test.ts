import { webcrypto } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SampleCodec } from '@temporal-kms/testing/rivals';
import type { Payload } from '../../src/formats/payload.ts';
import { cryptoKey, inNamespace, json } from '../support/codec.ts';
import { fromPayload } from '../support/vectors.ts';
import { type PeerCodec, type Peers, startPeers } from './support/peers.ts';
import { paymentsKey, rotate, type Setting, spares, startSetting, STATIC_ID } from './support/setting.ts';

/* TypeScript and Python share one emulator and one keys file, and each uses its own Google client. */

let setting: Setting;
let peers: Peers;

beforeAll(async () => {
  setting = await startSetting();
  const { python, emulator, keysFile, staticKey } = setting;
  peers = startPeers({
    python,
    emulator: emulator.address,
    keysFile,
    peerKey: paymentsKey,
    staticKey: { id: STATIC_ID, hex: staticKey.toString('hex') },
  });
}, 600_000);
afterAll(async () => {
  // `peers` and `setting` are undefined if beforeAll failed because Python is missing.
  await peers?.close();
  await setting?.close();
});

const payments = inNamespace('payments', 'order-1');
const known = (payloads: readonly Payload[]) => payloads.map(fromPayload);
/** Every kind of payload that a converter creates, and a payload that compresses well. */
const originals: Payload[] = [
  json({ card: '4242', note: 'für Zoë 🧾' }),
  { metadata: { encoding: Buffer.from('binary/plain') }, data: Buffer.from([0, 1, 254, 255]) },
  { metadata: { encoding: Buffer.from('binary/null') }, data: new Uint8Array() },
  json('a'.repeat(20_000)),
];

interface Way {
  readonly title: string;
  readonly env?: Record<string, string>;
  readonly peer: PeerCodec;
}

describe('Python', () => {
  const ways: Way[] = [
    { title: 'envelope-v2', peer: 'envelope-v2' },
    { title: 'envelope-v2, compressed', env: { KMS_COMPRESSION: 'zstd' }, peer: 'envelope-v2' },
    { title: 'envelope-v2, bound to its workflow', env: { KMS_BIND_WORKFLOW: 'true' }, peer: 'envelope-v2' },
    { title: 'envelope', env: { KMS_FORMAT: 'envelope' }, peer: 'envelope-v2' },
    { title: 'envelope, with the guide’s class', env: { KMS_FORMAT: 'envelope' }, peer: 'guide-envelope' },
    { title: 'direct', env: { KMS_FORMAT: 'direct' }, peer: 'envelope-v2' },
    { title: 'direct, with the guide’s class', env: { KMS_FORMAT: 'direct' }, peer: 'guide-direct' },
  ];

  it.each(ways)('decrypts TypeScript’s messages: $title', async ({ env, peer }) => {
    const encrypted = await setting.codec(env).encode(originals, payments);
    expect(known(encrypted)).not.toEqual(known(originals));
    expect(known(await peers.decode(peer, encrypted, payments))).toEqual(known(originals));
  });

  it.each(['envelope-v2', 'sample'] as const)(
    'decrypts messages from the TypeScript SDK’s sample with the %s codec',
    async (peer) => {
      const { subtle } = webcrypto;
      const key = await subtle.importKey('raw', setting.staticKey, 'AES-GCM', false, ['encrypt', 'decrypt']);
      const encrypted = await new SampleCodec(key).encode(originals);
      expect(known(await peers.decode(peer, encrypted, payments))).toEqual(known(originals));
    },
  );

  it('decrypts a message from another namespace that the rule accepts', async () => {
    const encrypted = await setting.codec().encode(originals, inNamespace('shipping'));
    expect(known(await peers.decode('envelope-v2', encrypted, payments))).toEqual(known(originals));
  });

  it('decrypts a message of a workflow that a schedule started', async () => {
    const run = inNamespace('payments', 'nightly-2026-11-24T02:00:00Z');
    const encrypted = await setting.codec({ KMS_BIND_WORKFLOW: 'true' }).encode(originals, run);
    const configured = inNamespace('payments', 'nightly');
    expect(known(await peers.decode('envelope-v2', encrypted, configured))).toEqual(known(originals));
  });
});

describe('TypeScript', () => {
  it.each([
    'envelope-v2',
    'envelope-v2-zstd',
    'envelope-v2-workflow',
    'guide-direct',
    'guide-envelope',
    'proxy',
    'sample',
  ] as const)('decrypts messages of Python’s %s codec', async (peer) => {
    const encrypted = await peers.encode(peer, originals, payments);
    expect(known(encrypted)).not.toEqual(known(originals));
    expect(known(await setting.codec().decode(encrypted, payments))).toEqual(known(originals));
  });

  it('receives a compressed message from Python that is smaller than its plaintext', async () => {
    const [encrypted] = await peers.encode('envelope-v2-zstd', [json('a'.repeat(20_000))], payments);
    expect(encrypted!.data!.length).toBeLessThan(1_000);
  });

  it('decrypts a message of a workflow that a schedule started', async () => {
    const run = inNamespace('payments', 'nightly-2026-11-24T02:00:00Z');
    const encrypted = await peers.encode('envelope-v2-workflow', originals, run);
    const configured = inNamespace('payments', 'nightly');
    expect(known(await setting.codec().decode(encrypted, configured))).toEqual(known(originals));
  });

  it('reports the key and key version of a message from Python', async () => {
    const [encrypted] = await peers.encode('envelope-v2', [json(1)], payments);
    expect(setting.codec().inspect(encrypted!, payments)).toMatchObject({ key: paymentsKey, keyVersion: 1 });
  });
});

describe('a payload that two codecs encoded in sequence,', () => {
  it.each([
    { title: 'this library behind the proxy', env: {}, outer: 'proxy' },
    {
      title: 'this library with compression behind the proxy',
      env: { KMS_COMPRESSION: 'zstd' },
      outer: 'proxy',
    },
    {
      title: 'the guide’s envelope behind the samples’ codec',
      env: { KMS_FORMAT: 'envelope' },
      outer: 'sample',
    },
    {
      title: 'direct encryption behind the guide’s envelope',
      env: { KMS_FORMAT: 'direct' },
      outer: 'guide-envelope',
    },
  ] as const)('is decrypted through both layers in both languages: $title', async ({ env, outer }) => {
    const inner = await setting.codec(env).encode(originals, payments);
    const stored = await peers.encode(outer, inner, payments);
    expect(known(await setting.codec().decode(stored, payments))).toEqual(known(originals));
    expect(known(await peers.decode('envelope-v2', stored, payments))).toEqual(known(originals));
  });
});

it('each language decrypts the messages that the other language encrypted before and after a rotation', async () => {
  const [namespace, key] = [spares[3], cryptoKey(spares[3])];
  const context = inNamespace(namespace);
  const before = await setting.codec().encode(originals, context);
  await rotate(setting.emulator, key);
  const after = await peers.encode('envelope-v2', originals, context);
  expect(known(await peers.decode('envelope-v2', before, context))).toEqual(known(originals));
  const reader = setting.codec();
  expect(known(await reader.decode(after, context))).toEqual(known(originals));
  const versions = [before, after].map(([one]) => reader.inspect(one!, context).keyVersion);
  expect(versions).toEqual([1, 2]);
});

const bothRefuse = async (payload: Payload, context: ReturnType<typeof inNamespace>, code: string) => {
  await expect(setting.codec().decode([payload], context)).rejects.toMatchObject({ code });
  await expect(peers.decode('envelope-v2', [payload], context)).rejects.toMatchObject({ code });
};

describe('both languages reject with the same code', () => {
  it.each([
    ['DISABLED', 'key_disabled', spares[0]],
    ['DESTROY_SCHEDULED', 'key_destroy_scheduled', spares[1]],
    ['DESTROYED', 'key_destroyed', spares[2]],
  ] as const)('a message under a key version that is %s', async (state, code, namespace) => {
    const [message] = await setting.codec().encode([json(1)], inNamespace(namespace));
    await setting.emulator.setVersionState(`${cryptoKey(namespace)}/cryptoKeyVersions/1`, state);
    await bothRefuse(message!, inNamespace(namespace), code);
  });
});
