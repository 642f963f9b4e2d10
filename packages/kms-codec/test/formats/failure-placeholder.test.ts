import {
  ApplicationFailure,
  CancelledFailure,
  defaultPayloadConverter,
  TimeoutFailure,
} from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { FAILURE_MARK, failureConverter } from '../../src/failure-converter.ts';
import { KeyRules, KmsCodec, type Observer } from '../../src/index.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';

const rule = { pay: { encrypt: cryptoKey('pay') } };
const context = inNamespace('pay');
const SECRET = 'card 4111 1111 1111 1111';

/** Returns a failure's lists of payloads, as Temporal's SDK passes them to the codec. */
function payloadsOf(error: Error): Payload[][] {
  const lists: Payload[][] = [];
  let failure = failureConverter.errorToFailure(error, defaultPayloadConverter);
  for (;;) {
    if (failure.encodedAttributes) lists.push([failure.encodedAttributes]);
    const details = failure.applicationFailureInfo?.details ?? failure.canceledFailureInfo?.details;
    const heartbeat = failure.timeoutFailureInfo?.lastHeartbeatDetails;
    for (const one of [details, heartbeat]) if (one?.payloads) lists.push(one.payloads);
    if (!failure.cause) return lists;
    failure = failure.cause;
  }
}

const textOf = ({ metadata, data }: Payload) => ({
  metadata: Object.entries(metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString()]),
  data: Buffer.from(data ?? []).toString(),
});

const cause = ApplicationFailure.create({ message: `cause: ${SECRET}`, details: [SECRET, SECRET] });
const failures = {
  application: ApplicationFailure.create({ message: SECRET, details: [{ SECRET }], cause }),
  cancelled: new CancelledFailure(SECRET, [SECRET], cause),
  timeout: new TimeoutFailure(SECRET, [SECRET], 'HEARTBEAT'),
  plain: new TypeError(SECRET, { cause }),
};

describe.each(Object.entries(failures))('a payload of a failure (%s)', (_, failure) => {
  it('has the failure mark, even if the payload belongs to a cause of the failure', () => {
    const payloads = payloadsOf(failure).flat();
    expect(payloads.length).toBeGreaterThan(0);
    for (const payload of payloads) expect(Object.keys(payload.metadata ?? {})).toContain(FAILURE_MARK);
  });

  it('is encrypted without its failure mark', async () => {
    const { codec } = codecWith(rule);
    for (const payloads of payloadsOf(failure)) {
      const decoded = await codec.decode(await codec.encode(payloads, context), context);
      const expected = payloads.map(({ metadata, data }) => {
        const { [FAILURE_MARK]: mark, ...rest } = metadata ?? {};
        expect(mark).toHaveLength(0);
        return textOf({ metadata: rest, data: data ?? null });
      });
      expect(decoded.map(textOf)).toEqual(expected);
    }
  });

  it.each(['kms_unavailable', 'permission_denied', 'key_destroyed'] as const)(
    'is replaced by a constant payload without plaintext if Cloud KMS fails (%s)',
    async (code) => {
      const keyService = new FakeKeyService();
      keyService.failing = code;
      const replaced: unknown[] = [];
      const observer: Observer = { failureReplaced: (event) => void replaced.push(event) };
      const { codec } = codecWith(rule, { keyService, observer });
      const lists = payloadsOf(failure);
      for (const payloads of lists) {
        const encoded = await codec.encode(payloads, context);
        expect(encoded).toHaveLength(payloads.length);
        for (const { data } of encoded) expect(Buffer.from(data ?? []).toString()).not.toContain('4111');
        for (const one of encoded) expect(one).toEqual(encoded[0]);
        const attributes = defaultPayloadConverter.fromPayload(encoded[0]!);
        expect(attributes).toMatchObject({ message: expect.stringContaining('could not be encrypted') });
      }
      expect(replaced).toEqual(lists.map(() => ({ namespace: 'pay', code })));
    },
  );
});

it('replaces a failure if the namespace is not configured or its rule only decrypts', async () => {
  const { codec } = codecWith({ pay: { decrypt: [cryptoKey('old')] } });
  const [payloads = []] = payloadsOf(failures.plain);
  for (const namespace of ['pay', 'elsewhere']) {
    const [encoded] = await codec.encode(payloads, inNamespace(namespace));
    expect(Buffer.from(encoded?.data ?? []).toString()).toContain('could not be encrypted');
  }
});

it('still throws for payloads outside a failure, even in a list that also contains a marked payload', async () => {
  const keyService = new FakeKeyService();
  keyService.failing = 'kms_unavailable';
  const { codec } = codecWith(rule, { keyService });
  const [[marked] = []] = payloadsOf(failures.plain);
  for (const payloads of [[json('x')], [marked!, json('x')], [{ metadata: null, data: Buffer.of(1) }]]) {
    await expect(codec.encode(payloads, context)).rejects.toMatchObject({ code: 'kms_unavailable' });
  }
});

async function placeholder(): Promise<Payload> {
  const keyService = new FakeKeyService();
  keyService.failing = 'kms_unavailable';
  const { codec } = codecWith(rule, { keyService });
  const [encoded] = await codec.encode(payloadsOf(failures.plain)[0]!, context);
  return encoded!;
}

// [N-10]
describe('the codec with a failure’s placeholder', () => {
  const refusing = { pay: { encrypt: cryptoKey('pay'), plaintext: 'refuse' as const } };

  it('accepts a placeholder even if the rule refuses plaintext, and does not report the placeholder', async () => {
    const reported: unknown[] = [];
    const observer: Observer = { notEncrypted: (event) => void reported.push(event) };
    for (const rules of [refusing, rule]) {
      const { codec } = codecWith(rules, { observer });
      const payload = await placeholder();
      expect(await codec.decode([payload], context)).toEqual([payload]);
      expect(codec.inspect(payload, context)).not.toHaveProperty('reason');
    }
    expect(reported).toEqual([]);
  });

  it('refuses a placeholder with a changed byte, or with an added or removed field', async () => {
    const { codec } = codecWith(refusing);
    const payload = await placeholder();
    const changed = Buffer.from(payload.data!);
    changed[20] = changed[20]! ^ 1;
    for (const other of [
      { ...payload, data: changed },
      { ...payload, data: Buffer.concat([payload.data!, Buffer.from(' ')]) },
      { ...payload, metadata: { ...payload.metadata, more: Buffer.from(SECRET) } },
      { ...payload, metadata: { encoding: Buffer.from('json/plane') } },
      { ...payload, externalPayloads: [{}] },
      { ...payload, metadata: {} },
      { data: payload.data! },
      { metadata: payload.metadata! },
    ]) {
      await expect(codec.decode([other], context)).rejects.toMatchObject({ code: 'format_not_allowed' });
    }
  });

  it('writes a placeholder even if no key is configured', async () => {
    const codec = new KmsCodec({ rules: new KeyRules({}), keyService: new FakeKeyService() });
    const [payloads = []] = payloadsOf(failures.plain);
    await expect(codec.encode(payloads)).resolves.toHaveLength(1);
    await codec.close();
  });
});
