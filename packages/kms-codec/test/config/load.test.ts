import { createHash, randomBytes } from 'node:crypto';
import { on } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, afterAll, onTestFinished } from 'vitest';
import { kmsEnvironment, loadKmsCodec } from '../../src/config/load.ts';

const guide = { GCP_PROJECT: 'acme', GCP_KMS_KEY_RING: 'temporal-keys', GCP_KMS_KEY: 'workflow-encryption' };
const key = 'projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/payments';

function mistakes(env: Record<string, string | undefined>): string[] {
  const result = kmsEnvironment.safeParse(env);
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const readsOf = (env: Record<string, string>) => [...kmsEnvironment.parse(env).rules.resolve('x').reads];

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const file = (text: string, name = 'keys.yaml') => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  folders.push(folder);
  const path = join(folder, name);
  writeFileSync(path, `${text}\n...\n`);
  return path;
};

describe("kmsEnvironment with the guide's variables", () => {
  it('returns one key for all namespaces, which is in the location `global` by default', () => {
    const { rules } = kmsEnvironment.parse(guide);
    expect(rules.resolve('anything').encrypt).toBe(
      'projects/acme/locations/global/keyRings/temporal-keys/cryptoKeys/workflow-encryption',
    );
  });

  it("allows reading the guide's direct format or, if KMS_FORMAT is envelope, the guide's envelope format", () => {
    expect(readsOf(guide)).toEqual(['envelope-v2', 'direct']);
    expect(readsOf({ ...guide, KMS_FORMAT: 'direct' })).toEqual(['envelope-v2', 'direct']);
    expect(readsOf({ ...guide, KMS_FORMAT: 'envelope' })).toEqual(['envelope-v2', 'envelope']);
  });

  it('allows reading both of the guide’s formats if KMS_UNSAFE accepts the risk by name', () => {
    const KMS_UNSAFE = 'direct-with-envelope';
    expect(readsOf({ ...guide, KMS_UNSAFE })).toEqual(['envelope-v2', 'envelope', 'direct']);
    expect(mistakes({ ...guide, KMS_UNSAFE: 'true' })).toEqual([expect.stringMatching(/^KMS_UNSAFE: /)]);
    expect(mistakes({ KMS_UNSAFE, KMS_KEYS_FILE: file(`default: { encrypt: ${key} }`) })).toEqual([
      expect.stringMatching(/^KMS_UNSAFE: .*keys file/),
    ]);
  });

  it('accepts process.env as its input', () => {
    expect(kmsEnvironment.safeParse(process.env).error?.issues.map(({ path }) => path.join('.'))).toEqual([
      'GCP_PROJECT',
      'GCP_KMS_KEY_RING',
      'GCP_KMS_KEY',
    ]);
  });

  it('lists all missing variables', () => {
    expect(mistakes({})).toEqual([
      'GCP_PROJECT: is missing',
      'GCP_KMS_KEY_RING: is missing',
      'GCP_KMS_KEY: is missing',
    ]);
  });

  it('rejects variables that do not form a valid resource name', () => {
    expect(mistakes({ ...guide, GCP_KMS_KEY: 'a/b' })).toEqual([
      expect.stringMatching(/^GCP_KMS_KEY: results in the key name .*a\/b/),
    ]);
  });

  it('rejects an environment that makes Google’s client print data keys', () => {
    expect(mistakes({ ...guide, GOOGLE_SDK_NODE_LOGGING: 'all' })).toEqual([
      expect.stringMatching(/^GOOGLE_SDK_NODE_LOGGING: .*plaintext data keys/),
    ]);
  });

  it.each(['kms.example.com:443', '10.0.0.1:9061', '127.0.0.1', 'localhost.example.com:1', '127.0.0.999:1'])(
    'rejects the emulator %s, which is not on loopback',
    (KMS_EMULATOR_HOST) => {
      expect(mistakes({ ...guide, KMS_EMULATOR_HOST })).toEqual([
        expect.stringMatching(/^KMS_EMULATOR_HOST: .*loopback/),
      ]);
    },
  );

  it.each([
    [undefined, 1],
    ['true', 1],
    ['1', 0],
  ])(
    'for an emulator with KMS_EMULATOR_IN_PRODUCTION=%s, reports %i mistakes in production',
    (allowed, count) => {
      const env = { ...guide, KMS_EMULATOR_HOST: '127.0.0.1:9061', KMS_EMULATOR_IN_PRODUCTION: allowed };
      expect(mistakes({ ...env, NODE_ENV: 'production' })).toHaveLength(count);
      expect(mistakes({ ...env, NODE_ENV: 'test' })).toEqual([]);
    },
  );

  it.each(['GCP_KMS_KEY_RING', 'GCP_KMS_KEY', 'KMS_FORMAT'])(
    'lists all mistakes in one error, including %s, so that a wrong value does not hide a missing variable',
    (variable) => {
      expect(() => loadKmsCodec({ env: { KMS_FORMAT: 'rot13', GCP_PROJECT: 'acme' } })).toThrow(variable);
    },
  );
});

it('warns about unknown variables by name, without their values', async () => {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const warnings = on(process, 'warning', stop);
  const env = { ...guide, KMS_BIND_WORKFLOWS: 'true', GCP_KMS_KEYRING: 'secret', KMS_EMPTY: '', KMSX: '1' };
  await loadKmsCodec({ env: { ...env, KMS_EMULATOR_HOST: '127.0.0.1:9' } }).close();
  // Node and other libraries can emit warnings at the same time.
  for await (const [warning] of warnings) {
    if (warning.code !== 'TEMPORAL_KMS_UNKNOWN_VARIABLE') continue;
    expect(warning.message).toContain(': GCP_KMS_KEYRING, KMS_BIND_WORKFLOWS. ');
    expect(warning.message).not.toMatch(/secret|KMS_EMPTY|KMSX/);
    break;
  }
});

describe('KMS_BRANCH_KEYS', () => {
  it('selects no store by default', () => {
    expect(kmsEnvironment.parse(guide).openBranchKeyStore?.()).toBeUndefined();
    expect(
      kmsEnvironment.parse({ ...guide, KMS_BRANCH_KEYS: 'none' }).openBranchKeyStore?.(),
    ).toBeUndefined();
  });

  it('selects the store from which the codec reads branch keys', async () => {
    const KMS_BRANCH_KEYS = `file:${join(tmpdir(), 'missing/branch-keys')}`;
    const codes: string[] = [];
    const codec = loadKmsCodec({
      env: { ...guide, KMS_BRANCH_KEYS, KMS_EMULATOR_HOST: '127.0.0.1:9' },
      observer: { branchKeyStoreFailed: ({ code }) => void codes.push(code) },
      waitMs: { other: 500 },
    });
    await expect(codec.warm('x')).rejects.toMatchObject({ code: 'kms_unavailable' });
    await expect.poll(() => codes).toEqual(['unavailable']);
    await codec.close();
  });

  it.each(['', 'true', 'file:relative', 'gs://', 's3://bucket'])('rejects %j', (KMS_BRANCH_KEYS) => {
    expect(mistakes({ ...guide, KMS_BRANCH_KEYS })).toEqual([
      expect.stringMatching(/^KMS_BRANCH_KEYS: must be none, file:/),
    ]);
  });
});

describe('kmsEnvironment with a keys file', () => {
  it('returns the keys of each namespace', () => {
    const path = file(`
namespaces:
  payments-prod: { encrypt: ${key}, decrypt: [${key}-2025], accepts: [payments], plaintext: refuse }
  archive: { decrypt: [${key}] }
`);
    const { rules } = kmsEnvironment.parse({ KMS_KEYS_FILE: path });
    expect(rules.resolve('payments-prod')).toMatchObject({
      keys: [key, `${key}-2025`],
      accepts: ['payments'],
      plaintext: 'refuse',
    });
    expect(rules.resolve('archive').encrypt).toBeUndefined();
    expect(() => rules.resolve('unlisted')).toThrow(
      expect.objectContaining({ code: 'namespace_not_configured' }),
    );
  });

  it('allows only envelope-v2 by default', () => {
    const { rules } = kmsEnvironment.parse({ KMS_KEYS_FILE: file(`default: { encrypt: ${key} }`) });
    expect([...rules.resolve('x').reads]).toEqual(['envelope-v2']);
  });

  it('rejects a keys file that has mistakes, and names the location of each mistake', () => {
    const path = file(`
namespaces:
  a: { encrypt: not-a-key, reads: [rot13] }
  b: { encript: ${key} }
`);
    expect(mistakes({ KMS_KEYS_FILE: path })).toEqual([
      expect.stringMatching(/^KMS_KEYS_FILE\.namespaces\.a\.encrypt: must be projects/),
      expect.stringMatching(/^KMS_KEYS_FILE\.namespaces\.a\.reads\.0: /),
      expect.stringMatching(/^KMS_KEYS_FILE\.namespaces\.b: .*encript/),
    ]);
  });

  it.each([
    ['a missing file', '/nowhere/keys.yaml', /does not exist/],
    ['a file that is not YAML', file('a: [x'), /not valid YAML/],
    ['an empty file', file('{}'), /neither a namespace nor a default/],
  ])('rejects %s', (_, path, text) => {
    expect(mistakes({ KMS_KEYS_FILE: path })[0]).toMatch(text);
  });

  it('rejects a keys file in combination with GCP_KMS_KEY', () => {
    const path = file(`default: { encrypt: ${key} }`);
    expect(mistakes({ KMS_KEYS_FILE: path, GCP_KMS_KEY: 'k' })).toEqual([expect.stringMatching(/both set/)]);
  });

  it('identifies the keys file by a digest of its bytes', () => {
    const path = file(`default: { encrypt: ${key} }`);
    const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
    expect(kmsEnvironment.parse({ KMS_KEYS_FILE: path }).keysFileDigest).toBe(digest);
    expect(kmsEnvironment.parse(guide).keysFileDigest).toBeUndefined();
  });

  it.each(['hex', 'base64', 'latin1'] as const)('reads a static key of 32 bytes in %s', (encoding) => {
    const bytes = randomBytes(32);
    const path = file(`default: { decrypt: [${key}], reads: [static], static: { k1: { file: key.txt } } }`);
    writeFileSync(join(path, '../key.txt'), encoding === 'latin1' ? bytes : `${bytes.toString(encoding)}\n`);
    const loaded = kmsEnvironment.parse({ KMS_KEYS_FILE: path }).rules.resolve('x').static.get('k1');
    expect(loaded?.export().equals(bytes)).toBe(true);
  });

  it('rejects a static key that does not have 32 bytes', () => {
    const path = file(`default: { decrypt: [${key}], static: { k1: { file: key.txt } } }`);
    writeFileSync(join(path, '../key.txt'), 'short');
    expect(mistakes({ KMS_KEYS_FILE: path })).toEqual([
      expect.stringMatching(/^KMS_KEYS_FILE\.default\.static\.k1\.file: must contain a key of 32 bytes/),
    ]);
  });
});
