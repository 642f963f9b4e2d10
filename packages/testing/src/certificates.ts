import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** OpenSSL's name of a key algorithm and its option. */
export type CertificateKey = readonly [algorithm: string, option: string];

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Writes a self-signed certificate for 127.0.0.1, valid for two days, and its private key into `directory`. */
export function makeCertificate(
  directory: string,
  name: string,
  [algorithm, option]: CertificateKey = ['ec', 'ec_paramgen_curve:prime256v1'],
): CertificateFiles {
  const certFile = join(directory, `${name}.crt`);
  const keyFile = join(directory, `${name}.key`);
  const key = ['-newkey', algorithm, '-pkeyopt', option, '-nodes', '-keyout', keyFile];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', ...subject, '-out', certFile], {
    stdio: 'ignore',
  });
  return { certFile, keyFile };
}
