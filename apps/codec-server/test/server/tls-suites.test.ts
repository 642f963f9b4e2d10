import { once } from 'node:events';
import { type ConnectionOptions, connect, getCiphers, type TLSSocket } from 'node:tls';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { listen, type RunningServer } from '../../src/server/listen.ts';
import { readTlsPair } from '../../src/server/tls.ts';
import { type CertificateKey, makeCertificate } from '@temporal-kms/testing/certificates';
import { folderForFile, forFile } from '../support/for-file.ts';

const HOST = '127.0.0.1';
const directory = await folderForFile();

const serve = async (name: string, key?: CertificateKey): Promise<RunningServer> =>
  forFile(
    await listen({
      host: HOST,
      port: 0,
      tls: await readTlsPair(makeCertificate(directory, name, key)),
      app: () => new Hono().get('/', (c) => c.text('ok')),
    }),
  );

const rsa = ['rsa', 'rsa_keygen_bits:2048'] as const;
const renewed = await serve('old');
renewed.useCertificate(await readTlsPair(makeCertificate(directory, 'new', rsa)));
const servers = {
  'an EC certificate': await serve('ec'),
  'an RSA certificate': await serve('rsa', rsa),
  'a renewed certificate': renewed,
};
type Name = keyof typeof servers;

/** Resolves to a connection after the TLS handshake. */
async function connected(name: Name, options: ConnectionOptions): Promise<TLSSocket> {
  const { port } = servers[name];
  const socket = connect({ port, host: HOST, rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

async function agreed(name: Name, options: ConnectionOptions) {
  const socket = await connected(name, options);
  const { name: cipher } = socket.getCipher();
  const protocol = socket.getProtocol();
  socket.destroy();
  return { cipher, protocol };
}

const certificates = ['an EC certificate', 'an RSA certificate', 'a renewed certificate'] as const;
const everything = { ciphers: 'ALL:COMPLEMENTOFALL:@SECLEVEL=0', minVersion: 'TLSv1' } as const;
/**
 * Returns whether a cipher suite, by its OpenSSL name, uses ECDHE for the key exchange and an AEAD for the
 * data.
 */
const isTaken = (cipher: string): boolean =>
  /^ecdhe-(?:ecdsa|rsa)-(?:aes(?:128|256)-gcm-sha\d+|chacha20-poly1305)$/.test(cipher);
const ciphers = getCiphers().filter((cipher) => !cipher.startsWith('tls_'));

describe.each(certificates)('TLS with %s', (name) => {
  it('uses TLS 1.3 with a client that supports it', async () => {
    expect(await agreed(name, {})).toMatchObject({ protocol: 'TLSv1.3' });
  });

  it.each(['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'])(
    'accepts the TLS 1.3 suite %s',
    async (cipher) => {
      expect(await agreed(name, { ciphers: cipher, minVersion: 'TLSv1.3' })).toMatchObject({ cipher });
    },
  );

  it('refuses TLS 1.3 suites with a shortened tag', async () => {
    const ccm = { ciphers: 'TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256:@SECLEVEL=0' };
    await expect(agreed(name, { ...ccm, minVersion: 'TLSv1.3' })).rejects.toThrow();
  });

  it('accepts TLS 1.2 with ECDHE and an AEAD', async () => {
    const kind = name === 'an EC certificate' ? 'ECDSA' : 'RSA';
    for (const cipher of ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305']) {
      const one = `ECDHE-${kind}-${cipher}`;
      expect(await agreed(name, { ciphers: one, maxVersion: 'TLSv1.2' })).toEqual({
        cipher: one,
        protocol: 'TLSv1.2',
      });
    }
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('refuses %s', async (version) => {
    await expect(agreed(name, { ...everything, maxVersion: version })).rejects.toThrow();
  });

  it('accepts no other TLS 1.2 cipher suite, whatever a client requires', async () => {
    const refused = ciphers.filter((cipher) => !isTaken(cipher));
    expect(refused.length).toBeGreaterThan(20);
    const accepted = await Promise.all(
      refused.map(async (cipher) => {
        const options = { ciphers: `${cipher.toUpperCase()}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' } as const;
        return agreed(name, options).then(
          (connection) => connection.cipher,
          () => undefined,
        );
      }),
    );
    expect(accepted.filter((cipher) => cipher !== undefined)).toEqual([]);
  });

  it('refuses a client that offers all cipher suites except ECDHE with an AEAD', async () => {
    const rest = 'ALL:COMPLEMENTOFALL:!kECDHE:@SECLEVEL=0';
    await expect(agreed(name, { ciphers: rest, maxVersion: 'TLSv1.2' })).rejects.toThrow();
    const cbc = 'ALL:COMPLEMENTOFALL:!AESGCM:!CHACHA20:@SECLEVEL=0';
    await expect(agreed(name, { ciphers: cbc, maxVersion: 'TLSv1.2' })).rejects.toThrow();
  });

  it.each(['secp521r1', 'secp224r1', 'secp256k1', 'brainpoolP256r1', 'ffdhe2048', 'X448'])(
    'refuses the group %s',
    async (group) => {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        await expect(
          agreed(name, { ecdhCurve: group, ciphers: 'ALL:@SECLEVEL=0', maxVersion }),
        ).rejects.toThrow();
      }
    },
  );

  it.each(['X25519MLKEM768', 'X25519', 'prime256v1', 'secp384r1'])('accepts the group %s', async (group) => {
    expect(await agreed(name, { ecdhCurve: group })).toMatchObject({ protocol: 'TLSv1.3' });
  });

  it('refuses signatures with SHA-1', async () => {
    const sigalgs = 'ECDSA+SHA1:RSA+SHA1';
    await expect(
      agreed(name, { sigalgs, ciphers: 'ALL:@SECLEVEL=0', maxVersion: 'TLSv1.2' }),
    ).rejects.toThrow();
  });

  it('refuses to renegotiate', async () => {
    const socket = await connected(name, { maxVersion: 'TLSv1.2' });
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined).resume();
    let renegotiated = false;
    socket.renegotiate({ rejectUnauthorized: false }, (error) => {
      renegotiated = error === null;
    });
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await ended;
    expect(renegotiated).toBe(false);
  });
});
