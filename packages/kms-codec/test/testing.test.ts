import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { WritableFormat } from '../src/codec-options.ts';
import { createTestCodec } from '../src/testing.ts';
import { json, valueOf } from './support/codec.ts';

const context = { namespace: 'default' };

describe('createTestCodec', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it.for<WritableFormat>(['envelope-v2', 'envelope', 'direct'])(
    'encrypts and decrypts payloads in the format %s',
    async (format) => {
      const codec = createTestCodec({ format });
      const encrypted = await codec.encode([json('card 4111')], context);
      expect(Buffer.from(encrypted[0]!.data ?? []).includes('4111')).toBe(false);
      expect(valueOf((await codec.decode(encrypted, context))[0])).toBe('card 4111');
      await codec.close();
    },
  );

  it('returns codecs that decrypt each other’s payloads', async () => {
    const [client, worker] = [createTestCodec(), createTestCodec()];
    const encrypted = await client.encode([json('card 4111')], context);
    expect(valueOf((await worker.decode(encrypted, context))[0])).toBe('card 4111');
    await Promise.all([client.close(), worker.close()]);
  });

  it('can derive its key from text, so that a later process can decrypt recorded payloads', async () => {
    const recorder = createTestCodec({ keyText: 'recorded histories' });
    const encrypted = await recorder.encode([json('card 4111')], context);
    vi.resetModules();
    const later = await import('../src/testing.ts');
    const reader = later.createTestCodec({ keyText: 'recorded histories' });
    expect(valueOf((await reader.decode(encrypted, context))[0])).toBe('card 4111');
    for (const other of [later.createTestCodec(), later.createTestCodec({ keyText: 'another text' })]) {
      await expect(other.decode(encrypted, context)).rejects.toMatchObject({ code: 'integrity_failed' });
      await other.close();
    }
    await Promise.all([recorder.close(), reader.close()]);
  });

  it('binds payloads to their namespace, as the real codec does', async () => {
    const codec = createTestCodec();
    const encrypted = await codec.encode([json('card 4111')], context);
    await expect(codec.decode(encrypted, { namespace: 'other' })).rejects.toMatchObject({
      code: 'namespace_mismatch',
    });
    await codec.close();
  });

  it('uses a key whose name contains not-for-production', async () => {
    const codec = createTestCodec();
    const [encrypted] = await codec.encode([json('card 4111')], context);
    expect(codec.inspect(encrypted!, context).key).toMatch(/tests-only.*not-for-production$/);
    await codec.close();
  });

  it('binds a wrapped key to the crypto key and to the additional authenticated data', async () => {
    const { keyService } = createTestCodec();
    const request = { key: 'key', plaintext: Buffer.from('secret'), aad: Buffer.from('bound') };
    const { ciphertext, ...version } = await keyService.wrap(request);
    expect(version).toEqual({ keyVersion: 1, protectionLevel: 'SOFTWARE' });
    for (const other of [{ key: 'other' }, { aad: Buffer.from('other') }]) {
      const refused = { code: 'integrity_failed', key: 'key', ...(other.key && other) };
      await expect(keyService.unwrap({ ...request, ciphertext, ...other })).rejects.toMatchObject(refused);
    }
  });

  it('describes every crypto key as a software key with one enabled version', async () => {
    const { keyService } = createTestCodec();
    expect(await keyService.describe('key')).toEqual({
      key: 'key',
      primary: 1,
      protectionLevel: 'SOFTWARE',
      versions: [{ version: 1, state: 'ENABLED' }],
    });
  });

  it('emits one process warning, however many codecs it creates', async () => {
    vi.resetModules();
    const emitWarning = vi.spyOn(process, 'emitWarning').mockReturnValue();
    const fresh = await import('../src/testing.ts');
    await Promise.all([fresh.createTestCodec().close(), fresh.createTestCodec().close()]);
    expect(emitWarning).toHaveBeenCalledTimes(1);
    expect(emitWarning.mock.lastCall?.[1]).toMatchObject({ code: 'TEMPORAL_KMS_TEST_CODEC' });
  });

  it('throws if NODE_ENV is production', () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(() => createTestCodec()).toThrow('for tests only');
  });

  it('has a documented example that prints the decrypted value', async () => {
    const source = await readFile(new URL('../src/testing.ts', import.meta.url), 'utf8');
    const [, example = ''] = /@example\n \* ```ts\n(.*?) \* ```/s.exec(source) ?? [];
    const code = example.replaceAll(/^ \* ?/gm, '').replaceAll(/^import .*\n/gm, '');
    const { defaultPayloadConverter } = await import('@temporalio/common');
    const log = vi.fn();
    // oxlint-disable-next-line typescript/no-implied-eval -- The code comes from a docstring in this repository.
    const run = new Function(
      'createTestCodec',
      'defaultPayloadConverter',
      'console',
      `return (async () => {${code}})()`,
    );
    await run(createTestCodec, defaultPayloadConverter, { log });
    expect(log.mock.calls).toEqual([['card 4111']]);
  });
});
