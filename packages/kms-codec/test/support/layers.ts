import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import type { NamespaceRule, EncryptedFormat } from '../../src/index.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, serialize } from './codec.ts';
import type { FakeKeyService } from './fake-key-service.ts';

const STATIC_ID = 'sample-key';
const staticKey = createSecretKey(randomBytes(32));
export const formats = ['envelope-v2', 'envelope', 'direct', 'proxy', 'static'] as const;

export const readsAll = {
  encrypt: cryptoKey('shared'),
  reads: formats,
  unsafe: ['direct-with-envelope'],
  static: new Map([[STATIC_ID, staticKey]]),
} satisfies NamespaceRule;

function encryptUnder(key: Uint8Array | typeof staticKey, payload: Payload): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const plaintext = serialize(payload);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Encrypts a payload as temporal-proxy does. */
export async function asProxy(
  keyService: FakeKeyService,
  payload: Payload,
  key = cryptoKey('shared'),
): Promise<Payload> {
  const dataKey = randomBytes(32);
  const { ciphertext } = await keyService.wrap({ key, plaintext: dataKey, aad: new Uint8Array() });
  return {
    metadata: {
      encoding: Buffer.from('binary/encrypted'),
      'encryption-key-id': Buffer.from(`gcpkms://${key}`),
      'encryption-dek': Buffer.from(Buffer.from(ciphertext).toString('base64')),
    },
    data: encryptUnder(dataKey, payload),
  };
}

/** Encrypts a payload as the samples' codec does. */
export const asSample = (payload: Payload, id = STATIC_ID): Payload => ({
  metadata: { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from(id) },
  data: encryptUnder(staticKey, payload),
});

/** Encrypts a payload in one layer of a format. */
export async function inLayer(
  format: EncryptedFormat,
  keyService: FakeKeyService,
  payload: Payload,
  namespace = 'orders',
): Promise<Payload> {
  if (format === 'proxy') return await asProxy(keyService, payload);
  if (format === 'static') return asSample(payload);
  const { codec } = codecWith({ [namespace]: { encrypt: cryptoKey('shared') } }, { keyService, format });
  const [message] = await codec.encode([payload], inNamespace(namespace));
  await codec.close();
  return message!;
}

/**
 * Marks a payload as compressed, as an earlier draft of the proxy's design specifies: keeps the encoding, and
 * adds a metadata entry.
 */
export const marked = (payload: Payload, algorithm: string, compressed: Uint8Array): Payload => ({
  metadata: { ...payload.metadata, 'compression/algorithm': Buffer.from(algorithm) },
  data: compressed,
});

/**
 * Returns a compressed payload as the proxy's current design specifies it: the whole payload is compressed,
 * including its metadata.
 */
export const proxyCompressed = (compressed: Uint8Array): Payload => ({
  metadata: { encoding: Buffer.from('binary/compressed'), 'compression-algorithm': Buffer.from('zstd') },
  data: compressed,
});
