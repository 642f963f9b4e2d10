import {
  type Payload,
  type StorageDriver,
  StorageDriverClaim,
  type StorageDriverStoreContext,
} from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { ciphertextOnly } from '../src/index.ts';
import { failurePlaceholder } from '../src/formats/failure-placeholder.ts';
import { codecWith, cryptoKey, inNamespace, json } from './support/codec.ts';

const payments = 'payments';

/** A storage driver of an application, which keeps payloads in an array. */
class MemoryDriver implements StorageDriver {
  readonly name = 'memory';
  readonly type = 'test';
  readonly stored: Payload[] = [];

  store(_: StorageDriverStoreContext, payloads: Payload[]): Promise<StorageDriverClaim[]> {
    const claims = payloads.map((payload) => new StorageDriverClaim({ at: `${this.stored.push(payload)}` }));
    return Promise.resolve(claims);
  }

  retrieve(_: unknown, claims: StorageDriverClaim[]): Promise<Payload[]> {
    return Promise.resolve(claims.map(({ claimData }) => this.stored[Number(claimData['at']) - 1]!));
  }
}

function setUp(plaintext?: 'pass' | 'report' | 'refuse') {
  const { codec } = codecWith({ [payments]: { encrypt: cryptoKey(payments), plaintext } });
  const memory = new MemoryDriver();
  const driver: StorageDriver = ciphertextOnly(memory, codec);
  return { codec, memory, driver };
}

const target = { kind: 'workflow', namespace: payments, id: 'w' } as const;
const withEncoding = (encoding: string, data = Buffer.from('card 4111')): Payload => ({
  metadata: { encoding: Buffer.from(encoding) },
  data,
});
const reference: Payload = {
  metadata: {
    encoding: Buffer.from('json/protobuf'),
    messageType: Buffer.from('temporal.api.sdk.v1.ExternalStorageReference'),
  },
  data: Buffer.from('{"driverName":"memory","claimData":{"at":"1"}}'),
};

describe('ciphertextOnly', () => {
  it.each(['pass', 'report', 'refuse'] as const)(
    'stores and retrieves encrypted payloads under a rule with the setting plaintext: %s',
    async (plaintext) => {
      const { codec, memory, driver } = setUp(plaintext);
      const payloads = await codec.encode([json('card 4111'), json(1)], inNamespace(payments, 'w'));
      const claims = await driver.store({ target }, payloads);
      expect(memory.stored).toEqual(payloads);
      expect(await driver.retrieve({}, claims)).toEqual(payloads);
      expect({ name: driver.name, type: driver.type }).toEqual({ name: 'memory', type: 'test' });
    },
  );

  it('stores a payload that was encrypted for a namespace that the context does not name', async () => {
    const { codec, memory, driver } = setUp();
    await driver.store({}, await codec.encode([json('card 4111')], inNamespace(payments)));
    expect(memory.stored).toHaveLength(1);
  });

  it.each([
    ['plaintext', json('card 4111')],
    ['a payload without an encoding', { data: Buffer.from('card 4111') }],
    ['a payload that another codec has encrypted', withEncoding('binary/encrypted')],
    ['plaintext with the encoding of the format', withEncoding('binary/envelope-kms-v2')],
    ['plaintext with the encoding of temporal-proxy', withEncoding('temporal-proxy/encrypted')],
    ['plaintext with the encoding of the format envelope', withEncoding('binary/envelope-kms')],
    ['plaintext with the encoding of the format direct', withEncoding('binary/gcp-kms')],
    ['a reference to external storage', reference],
  ])('refuses the whole call if it contains %s', async (_, payload) => {
    for (const plaintext of ['report', 'refuse'] as const) {
      const { codec, memory, driver } = setUp(plaintext);
      const encrypted = await codec.encode([json('card 4111')], inNamespace(payments));
      for (const context of [{ target }, {}]) {
        await expect(driver.store(context, [...encrypted, payload])).rejects.toMatchObject({
          code: 'format_not_allowed',
          message: expect.not.stringContaining('4111'),
        });
      }
      expect(memory.stored).toEqual([]);
    }
  });

  it('refuses plaintext of a namespace that is not configured', async () => {
    const { driver } = setUp('pass');
    const other = { kind: 'activity', namespace: 'other' } as const;
    for (const payload of [json(1), withEncoding('binary/gcp-kms')])
      await expect(driver.store({ target: other }, [payload])).rejects.toMatchObject({
        code: 'format_not_allowed',
      });
  });

  it.each(['envelope', 'direct'] as const)('stores messages in the format %s', async (format) => {
    const rule = { encrypt: cryptoKey(payments), reads: [format], plaintext: 'refuse' } as const;
    const { codec } = codecWith({ [payments]: rule }, { format });
    const memory = new MemoryDriver();
    const payloads = await codec.encode([json('card 4111')], inNamespace(payments));
    await ciphertextOnly(memory, codec).store({ target }, payloads);
    expect(memory.stored).toEqual(payloads);
  });

  it('stores plaintext only if the rule passes plaintext, but always stores a failure’s placeholder', async () => {
    const passing = setUp('pass');
    await passing.driver.store({ target }, [json('card 4111')]);
    expect(passing.memory.stored).toHaveLength(1);
    const refusing = setUp('refuse');
    await refusing.driver.store({ target }, [failurePlaceholder()]);
    expect(refusing.memory.stored).toHaveLength(1);
  });
});
