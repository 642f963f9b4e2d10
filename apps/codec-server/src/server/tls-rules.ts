import { constants } from 'node:crypto';
import tls, { type SecureContextOptions } from 'node:tls';

const MIN_VERSION = 'TLSv1.2';

/** TLS 1.3's suites, then those of TLS 1.2 with ECDHE and an AEAD: no CBC, no RSA key exchange, no finite-field DH. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':');

/** What this server agrees on with its clients, besides the certificate. */
export const serverTls = {
  minVersion: MIN_VERSION,
  ciphers: CIPHERS,
  honorCipherOrder: true,
  ecdhCurve: 'X25519MLKEM768:X25519:prime256v1:secp384r1',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions;

/**
 * Requires the same versions and suites of the issuers, Temporal and Cloud KMS, whatever `NODE_OPTIONS`
 * (`--tls-min-v1.0`, `--tls-cipher-list`) allows. Call it before the first connection.
 */
export function requireModernTls(): void {
  tls.DEFAULT_MIN_VERSION = MIN_VERSION;
  tls.DEFAULT_MAX_VERSION = 'TLSv1.3';
  tls.DEFAULT_CIPHERS = CIPHERS;
}
