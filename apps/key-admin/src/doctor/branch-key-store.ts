import { createHash } from 'node:crypto';
import { type BranchKeyStore, BranchKeyStoreError, type KmsSettings } from '@temporal-kms/kms-codec';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { type Finding, findings } from '../cli/finding.ts';

const { ok, failed, skipped } = findings('branch-key store');

/** The id of the value that the check writes. No branch key has this id. */
const PROBE_ID = createHash('sha256').update('temporal-kms doctor').digest('hex').slice(0, 32);

/**
 * Checks the store of branch keys: reads from it, and writes a value that no process uses.
 * @param writes whether the application encrypts, and therefore creates branch keys
 */
export async function checkBranchKeyStore(
  { openBranchKeyStore }: KmsSettings,
  { name, writes }: { readonly name: string; readonly writes: boolean },
): Promise<Finding> {
  const store = openBranchKeyStore?.();
  if (store === undefined) {
    return skipped('processes do not share branch keys (KMS_BRANCH_KEYS)');
  }
  const start = performance.now();
  try {
    await probe(store, writes);
    return ok(`${name} can be read${writes ? ' and written' : ''}`, performance.now() - start);
  } catch (error) {
    if (!(error instanceof BranchKeyStoreError)) return failed(`${name}: ${messageOf(error)}`);
    return failed(`${name}: ${error.message} (${error.code})`, ...fixOf(error, name, writes));
  } finally {
    await store.close();
  }
}

async function probe(store: BranchKeyStore, writes: boolean): Promise<void> {
  const stored = await store.load(PROBE_ID);
  if (!writes) return;
  await store.replace(PROBE_ID, Buffer.from('{"probe":true}\n'), stored?.generation ?? 'absent');
}

function fixOf({ code }: BranchKeyStoreError, name: string, writes: boolean): string[] {
  if (name.startsWith('gs://')) {
    const bucket = name.split('/').slice(0, 3).join('/');
    const role = writes ? 'roles/storage.objectUser' : 'roles/storage.objectViewer';
    if (code === 'not_permitted') {
      return [
        `gcloud storage buckets add-iam-policy-binding ${bucket} --member=serviceAccount:SERVICE-ACCOUNT --role=${role}`,
      ];
    }
    if (code === 'not_installed') return ['npm install @google-cloud/storage'];
    return [`gcloud storage ls ${bucket}`];
  }
  const directory = name.replace(/^file:/, '');
  if (code === 'untrusted') return [`chown "$USER" ${directory}`, `chmod -R go-w ${directory}`];
  return [`mkdir -p -m 700 ${directory}`];
}
