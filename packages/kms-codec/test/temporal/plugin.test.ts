import { fileURLToPath } from 'node:url';
import { Client, type ClientPlugin, Connection } from '@temporalio/client';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import {
  type BundleOptions,
  type BundlerPlugin,
  NativeConnection,
  Worker,
  type WorkerOptions,
  type WorkerPlugin,
} from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KmsCodec, KmsCodecError, KmsCodecPlugin } from '../../src/index.ts';
import { failureOf, encodingOf } from '@temporal-kms/testing/history';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from '../support/codec.ts';
import { createActivities } from './support/activities.ts';
import { CARD, encryptedPayloadsIn, encryptedHistory } from './support/history.ts';
import { payments, type Stack, startStack } from './support/stack.ts';
import * as workflows from './support/workflows.ts';

const other: PayloadCodec = {
  encode: (payloads) => Promise.resolve(payloads),
  decode: (payloads) => Promise.resolve(payloads),
};

const marked = (one: Payload, encoding: string): Payload => ({
  ...one,
  metadata: { encoding: Buffer.from(encoding) },
});

/** An application's codec, which this library does not know. */
const old: PayloadCodec = {
  encode: (payloads) => Promise.resolve(payloads.map((one) => marked(one, 'old'))),
  decode: (payloads) =>
    Promise.resolve(payloads.map((one) => (encodingOf(one) === 'old' ? marked(one, 'json/plain') : one))),
};

const converterFor = (plugin: KmsCodecPlugin, options: Partial<WorkerOptions>): DataConverter =>
  plugin.configureWorker(options).dataConverter ?? {};

/** Encodes as Temporal's SDK does: the first codec encodes first. */
async function encodeWith(codecs: readonly PayloadCodec[], payloads: Payload[]): Promise<Payload[]> {
  let encoded = payloads;
  for (const codec of codecs) encoded = await codec.encode(encoded);
  return encoded;
}

/** Decodes as Temporal's SDK does: the last codec decodes first. */
async function decodeWith(codecs: readonly PayloadCodec[], payloads: Payload[]): Promise<Payload[]> {
  let decoded = payloads;
  for (const codec of codecs.toReversed()) decoded = await codec.decode(decoded);
  return decoded;
}

describe('KmsCodecPlugin', () => {
  const { codec } = codecWith({ [payments]: { encrypt: cryptoKey(payments) } });
  const plugin = new KmsCodecPlugin(codec);

  it('has the type of a client plugin, a worker plugin and a bundler plugin', () => {
    const byShape: ClientPlugin & WorkerPlugin & BundlerPlugin = plugin;
    expect(byShape.name).toBe('temporal-kms.KmsCodecPlugin');
  });

  it('encrypts after the existing codecs', () => {
    const { payloadCodecs } = converterFor(plugin, { dataConverter: { payloadCodecs: [other] } });
    expect(payloadCodecs).toEqual([other, expect.any(KmsCodec)]);
  });

  it('adds its codec only once, however often the plugin is called', () => {
    const once: Partial<WorkerOptions> = plugin.configureWorker({ namespace: payments });
    expect(converterFor(plugin, once).payloadCodecs).toHaveLength(1);
  });

  it.each([
    ['rejects an inner payload that it cannot read if no codec decodes after it', [], 'refused'],
    [
      'passes an inner payload that it cannot read to codecs that the data converter already has',
      [other],
      'passed',
    ],
  ])('%s', async (_, payloadCodecs, outcome) => {
    const inner = {
      metadata: { encoding: Buffer.from('binary/encrypted') },
      data: Buffer.from('of another'),
    };
    const own = converterFor(plugin, {
      namespace: payments,
      dataConverter: { payloadCodecs },
    }).payloadCodecs?.at(-1);
    const decoding = own!.decode(await own!.encode([inner]));
    const settled = decoding.then(
      ([one]) => (Buffer.from(one!.data!).equals(inner.data) ? 'passed' : 'changed'),
      (error: unknown) =>
        error instanceof KmsCodecError && error.code === 'layer_unreadable' ? 'refused' : error,
    );
    expect(await settled).toBe(outcome);
  });

  it('refuses a workflow bundle that would make Temporal store failures in plaintext', () => {
    const workflowBundle = { code: 'exports.order = async () => 1' };
    expect(() => plugin.configureWorker({ workflowBundle })).toThrow('contains no failure converter');
    const own = { failureConverterPath: '/mine' };
    expect(plugin.configureWorker({ workflowBundle, dataConverter: own })).toMatchObject({ workflowBundle });
    const reader = new KmsCodecPlugin(codec, { decodeOnly: true });
    expect(reader.configureWorker({ workflowBundle })).toMatchObject({ workflowBundle });
  });

  it('keeps the data converter’s other properties', () => {
    const given = { payloadConverterPath: '/mine', failureConverterPath: '/mine-too', payloadCodecs: [] };
    expect(converterFor(plugin, { dataConverter: given })).toMatchObject({
      payloadConverterPath: '/mine',
      failureConverterPath: '/mine-too',
    });
  });

  it.each([
    { from: "the client's or worker's namespace", namespace: payments, encryptedFor: payments },
    {
      from: "Temporal's default namespace if no namespace is given",
      namespace: undefined,
      encryptedFor: 'default',
    },
  ])('encrypts for $from if the call has no context', async ({ namespace, encryptedFor }) => {
    const rule = { encrypt: cryptoKey(payments) };
    const all = codecWith({ [payments]: rule, default: rule, elsewhere: rule }, { namespace: 'elsewhere' });
    const options = { ...(namespace !== undefined && { namespace }) };
    const [ours] = converterFor(new KmsCodecPlugin(all.codec), options).payloadCodecs!;
    const encrypted = await ours!.encode([json('here')]);
    const reader = codecWith({ [payments]: rule, default: rule }, { keyService: all.keyService });
    expect(valueOf((await reader.codec.decode(encrypted, inNamespace(encryptedFor)))[0])).toBe('here');
  });

  describe('with readAlso', () => {
    const reading = new KmsCodecPlugin(codec, { readAlso: [old] });
    const codecsOf = (given: PayloadCodec[]) =>
      converterFor(reading, { namespace: payments, dataConverter: { payloadCodecs: given } }).payloadCodecs!;

    it.each([
      ['is not in the data converter', []],
      ['is also in the data converter', [old]],
      ['is in the data converter with another codec', [other, old]],
    ])('decodes but never encodes with the old codec if the old codec %s', async (_, given) => {
      const codecs = codecsOf(given);
      const encoded = await encodeWith(codecs, [json('new')]);
      expect(codec.inspect(encoded[0]!, inNamespace(payments)).format).toBe('envelope-v2');
      expect(valueOf((await codec.decode(encoded, inNamespace(payments)))[0])).toBe('new');
      const mixed = [...encoded, ...(await old.encode([json('old')])), json('plain')];
      expect((await decodeWith(codecs, mixed)).map(valueOf)).toEqual(['new', 'old', 'plain']);
    });

    it('adds each codec only once, however often the plugin is called', () => {
      const once = reading.configureWorker({ namespace: payments, dataConverter: { payloadCodecs: [old] } });
      expect(converterFor(reading, once).payloadCodecs).toHaveLength(2);
      expect(converterFor(plugin, once).payloadCodecs).toHaveLength(2);
      expect(converterFor(reading, plugin.configureWorker({})).payloadCodecs).toHaveLength(2);
    });
  });

  describe('with decodeOnly', () => {
    const reader = new KmsCodecPlugin(codec, { decodeOnly: true });
    const codecs = converterFor(reader, { namespace: payments }).payloadCodecs!;

    it('decrypts but does not encrypt', async () => {
      const written = [...(await codec.encode([json('new')], inNamespace(payments))), json('plain')];
      expect((await decodeWith(codecs, written)).map(valueOf)).toEqual(['new', 'plain']);
      expect(await encodeWith(codecs, [json('plain')])).toEqual([json('plain')]);
    });

    it('does not change the failure converter', () => {
      expect(converterFor(reader, {})).not.toHaveProperty('failureConverterPath');
      const given = { failureConverterPath: '/mine' };
      expect(converterFor(reader, { dataConverter: given })).toMatchObject(given);
      const bundle: BundleOptions = { workflowsPath: 'any' };
      expect(reader.configureBundler(bundle)).toEqual(bundle);
    });

    it('decodes in the client’s or worker’s namespace, even if the plugin is added twice', async () => {
      const once: Partial<WorkerOptions> = reader.configureWorker({ namespace: payments });
      const twice = converterFor(reader, once).payloadCodecs!;
      expect(twice).toHaveLength(1);
      const written = await codec.encode([json('new')], inNamespace(payments));
      expect((await decodeWith(twice, written)).map(valueOf)).toEqual(['new']);
    });
  });

  it('adds the failure converter to bundles that have none', () => {
    const options: BundleOptions = { workflowsPath: 'any' };
    expect(plugin.configureBundler(options).failureConverterPath).toMatch(/\/failure-converter\.ts$/);
    expect(plugin.configureBundler({ failureConverterPath: '/mine' }).failureConverterPath).toBe('/mine');
  });
});

describe('the plugin on a connection', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack.close());

  it('configures the client, the worker and the workflow bundle', async () => {
    const { address } = stack;
    const connection = await Connection.connect({ address, plugins: [new KmsCodecPlugin(stack.codec())] });
    const native = await NativeConnection.connect({ address, plugins: [new KmsCodecPlugin(stack.codec())] });
    try {
      const worker = await Worker.create({
        connection: native,
        namespace: payments,
        taskQueue: 'one-line',
        workflowsPath: fileURLToPath(new URL('./support/workflows.ts', import.meta.url)),
        activities: createActivities(),
      });
      // Both the connection and the client have the plugin. Payloads must not be encrypted twice.
      const client = new Client({
        connection,
        namespace: payments,
        plugins: [new KmsCodecPlugin(stack.codec())],
      });
      await worker.runUntil(async () => {
        const order = client.workflow.start(workflows.order, {
          taskQueue: 'one-line',
          workflowId: 'order',
          args: [CARD],
        });
        expect(await (await order).result()).toBe(`charged ${CARD}, no risk with ${CARD}`);
        const refused = client.workflow.execute(workflows.refused, {
          taskQueue: 'one-line',
          workflowId: 'refused',
          args: [CARD],
        });
        expect((await failureOf(refused)).cause?.cause).toMatchObject({ message: `refused ${CARD}` });
      });
      const reader = stack.codec();
      for (const payload of encryptedPayloadsIn(await encryptedHistory(client, 'order'))) {
        const { payload: decoded } = await reader.decrypt(payload, { namespace: payments });
        expect(String(decoded.metadata?.['encoding'])).toBe('json/plain');
      }
      expect(JSON.stringify(await encryptedHistory(client, 'refused'))).toContain('Encoded failure');
    } finally {
      await connection.close();
      await native.close();
    }
  }, 180_000);
});
