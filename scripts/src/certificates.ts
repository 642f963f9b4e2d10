import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** OpenSSL's name for a key algorithm, and the algorithm's option. */
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

/**
 * Writes a certificate that an authority has signed, and the certificate's private key. Some clients need
 * such a certificate, because they accept no self-signed certificate.
 *
 * @param names in OpenSSL's form: `DNS:cloudkms.googleapis.com`
 */
export function issueCertificate(
  directory: string,
  name: string,
  authority: CertificateFiles,
  names = 'IP:127.0.0.1',
): CertificateFiles {
  const path = (ending: string) => join(directory, `${name}.${ending}`);
  const [certFile, keyFile, request, extensions] = [path('crt'), path('key'), path('csr'), path('ext')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  execFileSync('openssl', ['req', '-new', ...key, '-subj', `/CN=${name}`, '-out', request], {
    stdio: 'ignore',
  });
  writeFileSync(extensions, `subjectAltName=${names}\nbasicConstraints=CA:FALSE\n`);
  const signer = ['-CA', authority.certFile, '-CAkey', authority.keyFile, '-CAcreateserial'];
  execFileSync(
    'openssl',
    ['x509', '-req', '-in', request, ...signer, '-days', '2', '-extfile', extensions, '-out', certFile],
    { stdio: 'ignore' },
  );
  return { certFile, keyFile };
}
