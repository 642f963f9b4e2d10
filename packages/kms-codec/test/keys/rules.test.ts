import { describe, expect, it } from 'vitest';
import { findRuleMistakes, type NamespaceRule } from '../../src/keys/key-rules.ts';
import { wrappedKeyHash } from '../../src/crypto/wrapped-key.ts';
import { type ConvertingOptions, KeyRules, KmsCodecPlugin } from '../../src/index.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json, valueOf } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { branchOf } from '../support/fleet.ts';

/*
 * The vectors in rules.json test which messages a reader refuses. These tests cover how refusals are
 * reported, and which payloads a writer refuses.
 */

const shared: NamespaceRule = { encrypt: cryptoKey('shared') };
const pay = inNamespace('pay');
const ship = inNamespace('ship');

const sameId = () => new Uint8Array(8);

// [K-8]
describe('crypto keys with the same id', () => {
  const a = { encrypt: cryptoKey('a') };
  const b = { decrypt: [cryptoKey('b')] };

  it.each<[string, Record<string, NamespaceRule>, NamespaceRule | undefined, object]>([
    ['a rule', { pay: { ...a, ...b } }, undefined, { namespace: 'pay', field: 'decrypt' }],
    ['two namespaces', { pay: a, ship: b }, undefined, { namespace: 'ship', field: 'decrypt' }],
    ['a namespace and the default', { pay: b }, a, { namespace: undefined, field: 'encrypt' }],
  ])('are refused in %s', (_, namespaces, byDefault, mistake) => {
    expect(findRuleMistakes(Object.entries(namespaces), byDefault, sameId)).toMatchObject([mistake]);
    expect(findRuleMistakes(Object.entries(namespaces), byDefault)).toEqual([]);
  });

  it('are accepted if their resource names are equal', () => {
    expect(findRuleMistakes(Object.entries({ pay: a, ship: a }), a, sameId)).toEqual([]);
  });
});

describe('crypto keys that are named by the number of their project', () => {
  const numbered = cryptoKey('a').replace(/^projects\/[^/]+/, 'projects/42');
  const byNumber = { encrypt: numbered };

  it('are refused if a rule names the same key by the id of its project', () => {
    const mistakes = findRuleMistakes(
      Object.entries({ pay: byNumber, ship: { decrypt: [cryptoKey('a')] } }),
      undefined,
    );
    expect(mistakes).toMatchObject([{ namespace: 'pay', field: 'encrypt' }]);
    expect(mistakes[0]!.message).toContain(
      `names ${numbered} by its project's number, but ${cryptoKey('a')} by a project id`,
    );
  });

  it('are accepted if no rule names the same key by the id of its project', () => {
    expect(
      findRuleMistakes(Object.entries({ pay: byNumber, ship: byNumber }), { encrypt: cryptoKey('b') }),
    ).toEqual([]);
  });
});

describe('KeyRules', () => {
  const a = cryptoKey('a');
  const b = cryptoKey('b');
  const c = cryptoKey('c');
  const named = { pay: { encrypt: a, decrypt: [b, a], accepts: ['cards'] }, ship: { decrypt: [b] } };

  it('lists each crypto key once, with the keys of the default rule at the end', () => {
    expect(new KeyRules(named).keys).toEqual([a, b]);
    expect(new KeyRules(named, { encrypt: c }).keys).toEqual([a, b, c]);
  });

  it('covers only the namespaces that it names, or every namespace if it has a default rule', () => {
    const rules = new KeyRules(named);
    expect(rules.namespaces).toEqual(['pay', 'ship']);
    expect(['pay', 'cards', 'x'].map((name) => rules.covers(name))).toEqual([true, false, false]);
    const withDefault = new KeyRules(named, { encrypt: c });
    expect(withDefault.covers('x')).toBe(true);
    expect(withDefault.isNamed('x')).toBe(false);
  });

  it('can decrypt messages of the namespaces that it covers, and of those that a rule accepts', () => {
    const canDecrypt = ['pay', 'cards', 'x'].map((name) => new KeyRules(named).canDecrypt(name));
    expect(canDecrypt).toEqual([true, true, false]);
    expect(new KeyRules({}, shared).canDecrypt('x')).toBe(true);
  });

  it('fills in the defaults: reads only envelope-v2, accepts no other namespace, and reports plaintext', () => {
    expect(new KeyRules(named).resolve('ship')).toEqual({
      namespace: 'ship',
      encrypt: undefined,
      keys: [b],
      accepts: [],
      reads: new Set(['envelope-v2']),
      plaintext: 'report',
      static: new Map(),
      workflowTag: undefined,
    });
    expect(new KeyRules(named).resolve('pay').keys).toEqual([a, b]);
  });

  it('rejects a namespace without a rule', () => {
    expect(() => new KeyRules(named).resolve('x')).toThrow(
      expect.objectContaining({ code: 'namespace_not_configured' }),
    );
  });
});

describe('a codec that is configured with one namespace', () => {
  const keyService = new FakeKeyService();
  const byContext = codecWith({}, { keyService, default: shared }).codec;
  const encrypted = async (context: typeof pay) => await byContext.encode([json('secret')], context);

  it('does not decrypt another namespace’s message with any of its methods, even if the context names the other namespace', async () => {
    const messages = await encrypted(ship);
    expect(valueOf((await byContext.decode(messages, ship))[0])).toBe('secret');
    const { codec } = codecWith({}, { keyService, default: shared });
    const configured = codec.forNamespace('pay');
    const refused = { code: 'namespace_mismatch' };
    await expect(configured.decode(messages, ship)).rejects.toMatchObject(refused);
    await expect(configured.decrypt(messages[0]!, ship)).rejects.toMatchObject(refused);
    await expect(configured.plan(messages, ship).decrypt()).rejects.toMatchObject(refused);
    expect(configured.inspect(messages[0]!, ship).reason).toBe('namespace_mismatch');
  });

  it('does not decrypt another namespace’s message in a client or worker', async () => {
    const messages = await encrypted(ship);
    const plugin = new KmsCodecPlugin(byContext);
    const options: ConvertingOptions = { namespace: 'pay' };
    const inShip = { ...ship, workflowId: 'order-1' };
    for (const { dataConverter } of [plugin.configureClient(options), plugin.configureWorker(options)]) {
      const [codec] = dataConverter?.payloadCodecs ?? [];
      await expect(codec!.decode(messages, inShip)).rejects.toMatchObject({ code: 'namespace_mismatch' });
      await expect(codec!.decode(await encrypted(pay), inShip)).resolves.toHaveLength(1);
    }
  });

  it('calls authorizeNamespace for its own namespace, even if the context names another namespace', async () => {
    const configured = byContext.forNamespace('pay');
    const asked: string[] = [];
    const authorizeNamespace = (namespace: string) => void asked.push(namespace);
    await configured.decode(await encrypted(pay), ship, { authorizeNamespace });
    expect(asked).toEqual(['pay']);
  });

  it('encrypts for the context’s namespace', async () => {
    const messages = await byContext.forNamespace('pay').encode([json('x')], ship);
    expect(byContext.inspect(messages[0]!, ship).namespace).toBe('ship');
  });
});

describe('a namespace that requires workflow tags', () => {
  const rules = { pay: { ...shared, workflowTag: 'require' } } as const;
  const order = inNamespace('pay', 'order-1');

  // [F-11]
  it('binds new messages to their workflow, without any other setting', async () => {
    const { codec } = codecWith(rules);
    const messages = await codec.encode([json('x')], order);
    expect(codec.inspect(messages[0]!, order).boundToWorkflow).toBe(true);
    await expect(codec.decode(messages, inNamespace('pay', 'order-2'))).rejects.toMatchObject({
      code: 'workflow_mismatch',
    });
  });

  // [F-11]
  it('refuses to encrypt without a workflow or in a format without tags, because it could not decrypt the result', async () => {
    const keyService = new FakeKeyService();
    const { codec } = codecWith(rules, { keyService });
    const refused = { code: 'format_not_allowed' };
    await expect(codec.encode([json('x')], pay)).rejects.toMatchObject(refused);
    for (const format of ['envelope', 'direct'] as const) {
      const older = codecWith(rules, { keyService, format }).codec;
      await expect(older.encode([json('x')], order)).rejects.toMatchObject(refused);
    }
    expect(keyService.wraps).toBe(0);
  });

  it('cannot be configured to read a format without tags', () => {
    expect(() => new KeyRules({ pay: { ...rules.pay, reads: ['envelope-v2', 'proxy'] } })).toThrow(
      /workflow tag/,
    );
  });
});

describe('a message under a denied key', () => {
  it.each(['envelope-v2', 'envelope'] as const)(
    'is reported without a Cloud KMS call, in the format %s',
    async (format) => {
      const keyService = new FakeKeyService();
      const rule = { ...shared, reads: ['envelope-v2', format] } as const;
      const [message] = await codecWith({ pay: rule }, { keyService, format }).codec.encode([json('x')], pay);
      const wrapped =
        format === 'envelope' ? message!.metadata!['encrypted-dek']! : Buffer.from(branchOf(message!), 'hex');
      const deny = [wrappedKeyHash(wrapped)];
      const { codec } = codecWith({}, { keyService, rules: new KeyRules({ pay: rule }, undefined, deny) });
      const plan = codec.plan([message!], pay);
      expect(plan.payloads).toMatchObject([
        { reason: 'key_not_allowed', ...(format === 'envelope-v2' && { keyVersion: 1 }) },
      ]);
      expect(plan.kmsCalls).toBe(0);
      const refused = expect.objectContaining({
        code: 'key_not_allowed',
        message: expect.stringContaining(deny[0]!),
      });
      await expect(codec.decode([message!], pay)).rejects.toThrow(refused);
      await expect(codec.decrypt(message!, pay)).rejects.toThrow(refused);
      expect(keyService.unwraps).toBe(0);
    },
  );

  it.each(['AB'.repeat(32), 'ab'.repeat(31), 'ab'.repeat(33), ` ${'ab'.repeat(32)}`, `${'ab'.repeat(32)} `])(
    'cannot be denied with the hash %j, which does not have 64 lowercase hexadecimal digits',
    (hash) => {
      expect(() => new KeyRules({ pay: shared }, undefined, [hash])).toThrow(/deny/);
    },
  );
});

describe('a reference to external storage, if the rule refuses plaintext,', () => {
  const reference: Payload = {
    metadata: { encoding: Buffer.from('json/external-storage-reference') },
    data: Buffer.from('{}'),
  };

  // [F-7]
  it('is refused by encode and decode, and is reported with the same reason as plaintext', async () => {
    const { codec } = codecWith({ pay: { ...shared, plaintext: 'refuse' } });
    const refused = { code: 'format_not_allowed' };
    await expect(codec.encode([reference], pay)).rejects.toMatchObject(refused);
    await expect(codec.decode([reference], pay)).rejects.toMatchObject(refused);
    expect(codec.inspect(reference, pay)).toMatchObject({ format: 'external', reason: 'format_not_allowed' });
  });
});
