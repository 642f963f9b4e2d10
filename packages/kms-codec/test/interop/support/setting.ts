import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyManagementServiceClient } from '@google-cloud/kms';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { type KmsCodec, loadKmsCodec } from '../../../src/index.ts';
import { emulatorOptions } from '../../../src/keys/emulator-options.ts';
import { cryptoKey } from '../../support/codec.ts';
import { findPython } from '@temporal-kms/testing/python';

export const STATIC_ID = 'test-key-id';
export const paymentsKey = cryptoKey('payments');

/** Namespaces whose keys a test may change. Each key has the name of its namespace. */
export const spares = ['spare-1', 'spare-2', 'spare-3', 'spare-4'] as const;

/** One emulator and one keys file for both languages. */
export interface Setting {
  readonly python: string;
  readonly emulator: Emulator;
  readonly keysFile: string;
  readonly staticKey: Buffer;
  /** Creates a TypeScript codec with empty caches from environment variables, as an application does. */
  codec(env?: Record<string, string>): KmsCodec;
  close(): Promise<void>;
}

export async function startSetting(): Promise<Setting> {
  const python = await findPython();
  const folder = await mkdtemp(join(tmpdir(), 'kms-interop-'));
  const keysFile = join(folder, 'keys.yaml');
  const staticKey = randomBytes(32);
  await writeFile(join(folder, 'static.key'), staticKey.toString('hex'));
  await writeFile(keysFile, keys);
  const emulator = await startEmulator({
    keys: [paymentsKey, ...['payments-2025', 'shipping', ...spares].map(cryptoKey)],
  });
  const open: KmsCodec[] = [];
  return {
    python,
    emulator,
    keysFile,
    staticKey,
    codec: (env = {}) => {
      const codec = loadKmsCodec({
        env: { KMS_KEYS_FILE: keysFile, KMS_EMULATOR_HOST: emulator.address, ...env },
        waitMs: { activity: 15_000, other: 15_000 },
      });
      open.push(codec);
      return codec;
    },
    close: async () => {
      await Promise.all(open.map((codec) => codec.close()));
      await emulator.close();
      await rm(folder, { recursive: true });
    },
  };
}

const keys = `
namespaces:
  payments:
    encrypt: ${paymentsKey}
    decrypt: [${cryptoKey('payments-2025')}]
    accepts: [shipping]
    reads: [envelope-v2, envelope, direct, proxy, static]
    unsafe: [direct-with-envelope]
    static: { ${STATIC_ID}: { file: static.key } }
  shipping:
    encrypt: ${cryptoKey('shipping')}
${spares.map((name) => `  ${name}: { encrypt: ${cryptoKey(name)} }`).join('\n')}
...
`;

/** Creates a new key version and makes it the primary version. */
export async function rotate(emulator: Emulator, key: string): Promise<void> {
  const client = new KeyManagementServiceClient(emulatorOptions(emulator.address));
  try {
    const [version] = await client.createCryptoKeyVersion({ parent: key });
    const cryptoKeyVersionId = version.name?.split('/').pop() ?? '';
    await client.updateCryptoKeyPrimaryVersion({ name: key, cryptoKeyVersionId });
  } finally {
    await client.close();
  }
}
