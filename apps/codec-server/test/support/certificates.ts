import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { TlsFiles } from '../../src/server/tls.ts';

/** OpenSSL's name of an algorithm and an option of it. */
export type CertificateKey = readonly [algorithm: string, option: string];

/** A certificate for 127.0.0.1 that signs itself, made anew by OpenSSL; for two days; its files lie in `directory`. */
export function makeCertificate(
  directory: string,
  name: string,
  [algorithm, option]: CertificateKey = ['ec', 'ec_paramgen_curve:prime256v1'],
): TlsFiles {
  const certFile = join(directory, `${name}.crt`);
  const keyFile = join(directory, `${name}.key`);
  const key = ['-newkey', algorithm, '-pkeyopt', option, '-nodes', '-keyout', keyFile];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', ...subject, '-out', certFile], {
    stdio: 'ignore',
  });
  return { certFile, keyFile };
}
