/** Task `dev:destroyed-key`: starts a sample, then destroys the key version that encrypted the sample's input. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KeyManagementServiceClient } from '@google-cloud/kms';
import { grpc } from 'google-gax';
import { projectRoot } from '../project.ts';
import { requiredPort } from './environment.ts';

const { GCP_PROJECT = '', GCP_KMS_LOCATION = '', GCP_KMS_KEY_RING = '', GCP_KMS_KEY = '' } = process.env;
const kms = new KeyManagementServiceClient({
  apiEndpoint: '127.0.0.1',
  port: requiredPort('DEV_KMS_PORT'),
  sslCreds: grpc.credentials.createInsecure(),
  clientOptions: { universeDomain: 'googleapis.com' },
});
const key = kms.cryptoKeyPath(GCP_PROJECT, GCP_KMS_LOCATION, GCP_KMS_KEY_RING, GCP_KMS_KEY);

/** Runs a sample from a new process, whose branch key is wrapped under the current primary version. */
async function startAndWait(id: string): Promise<void> {
  const starter = join(projectRoot, 'apps', 'worker', 'src', 'start.ts');
  await promisify(execFile)(process.execPath, [starter, 'start', 'order', '--id', id, '--wait']);
}

const [versions] = await kms.listCryptoKeyVersions({ parent: key });
if (versions.length === 1) {
  const [doomed] = await kms.createCryptoKeyVersion({ parent: key });
  await kms.updateCryptoKeyPrimaryVersion({ name: key, cryptoKeyVersionId: '2' });
  try {
    await startAndWait('order-1005-destroyed-key');
  } finally {
    await kms.updateCryptoKeyPrimaryVersion({ name: key, cryptoKeyVersionId: '1' });
  }
  await kms.destroyCryptoKeyVersion({ name: doomed.name ?? '' });
  // Cloud KMS would destroy the version a month later. The emulator's control API destroys the version
  // immediately.
  await fetch(`http://127.0.0.1:${requiredPort('DEV_KMS_CONTROL_PORT')}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: doomed.name, state: 'DESTROYED' }),
  });
}
await kms.close();
