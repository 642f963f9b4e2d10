import { escapeInvisible } from '@temporal-kms/codec-api';
import type { KeyUse, ReasonCode } from '@temporal-kms/codec-api';

/** Amber can be set right, orange passes by itself, red doesn't, grey informs. */
type ReasonTone = 'pending' | 'timed-out' | 'failed' | 'neutral';
export type ReasonIcon = 'lock' | 'open' | 'clock' | 'shield' | 'file' | 'weight' | 'key' | 'elsewhere';

export interface ReasonText {
  readonly short: string;
  readonly tone: ReasonTone;
  readonly icon: ReasonIcon;
  /** What can be done, in a word or two. */
  readonly kind: string;
}

const reason = (short: string, tone: ReasonTone, icon: ReasonIcon, kind: string): ReasonText => ({
  short,
  tone,
  icon,
  kind,
});

export const reasonTexts: Readonly<Record<ReasonCode, ReasonText>> = {
  key_disabled: reason('Key disabled', 'pending', 'lock', 'restorable'),
  key_destroy_scheduled: reason('Key to be destroyed', 'pending', 'lock', 'restorable'),
  key_destroyed: reason('Key destroyed', 'failed', 'lock', 'permanent'),
  key_not_found: reason('Key not found', 'pending', 'lock', 'needs a setting'),
  key_not_allowed: reason('Key not allowed', 'pending', 'lock', 'needs a setting'),
  permission_denied: reason('No permission', 'pending', 'lock', 'needs a setting'),
  kms_quota: reason('KMS quota', 'timed-out', 'clock', 'retries by itself'),
  kms_unavailable: reason('KMS unreachable', 'timed-out', 'clock', 'retries by itself'),
  checksum_mismatch: reason('Checksum differs', 'timed-out', 'clock', 'retries by itself'),
  namespace_mismatch: reason('Other namespace', 'failed', 'shield', 'moved or misrouted'),
  workflow_mismatch: reason('Other workflow', 'failed', 'shield', 'moved or misrouted'),
  integrity_failed: reason('Integrity failed', 'failed', 'shield', 'permanent'),
  malformed: reason('Malformed', 'failed', 'file', 'permanent'),
  unsupported_version: reason('Newer format', 'pending', 'file', 'needs a newer server'),
  too_large: reason('Too large', 'pending', 'weight', 'needs a setting'),
  data_key_exhausted: reason('Data key spent', 'pending', 'key', 'writer refused'),
  external_reference: reason('Stored elsewhere', 'neutral', 'elsewhere', 'information'),
  format_not_allowed: reason('Format not allowed', 'pending', 'lock', 'needs a setting'),
  namespace_not_configured: reason('No key configured', 'pending', 'lock', 'needs a setting'),
  namespace_not_permitted: reason('No permission there', 'pending', 'shield', 'needs a permission'),
  layer_unreadable: reason('Still encrypted', 'pending', 'lock', 'needs a setting'),
  event_not_found: reason('Event gone', 'failed', 'file', 'permanent'),
  not_encrypted: reason('Plaintext', 'pending', 'open', 'warning'),
};

export interface ReasonContext {
  readonly namespace: string;
  readonly workflowId: string;
  readonly key?: KeyUse | undefined;
  readonly encoding?: string | undefined;
  /** The namespace that the message names, where it is not the history's. */
  readonly otherNamespace?: string | undefined;
}

/** `payments v7`: the last part of the resource name and the version, as far as they are known. */
function keyTitle(key: KeyUse | undefined): string {
  const name = key?.name?.split('/').at(-1);
  const version = key?.version === undefined ? undefined : `v${key.version}`;
  return [name, version].filter((part) => part !== undefined).join(' ') || 'The key';
}

/** Names in it are escaped where they can't be seen. */
export const explain = (code: ReasonCode, context: ReasonContext): string =>
  escapeInvisible(explanation(code, context));

function explanation(code: ReasonCode, context: ReasonContext): string {
  const key = keyTitle(context.key);
  const { namespace, workflowId } = context;
  switch (code) {
    case 'key_disabled':
      return `${key} is disabled. Enable it in Cloud KMS and this can be read again.`;
    case 'key_destroy_scheduled':
      return `${key} is scheduled for destruction. Restore it in Cloud KMS before it is gone.`;
    case 'key_destroyed':
      return `${key} was destroyed. No one can read this payload again.`;
    case 'key_not_found':
      return 'Cloud KMS knows no key by this name in this project and location.';
    case 'key_not_allowed':
      return `The key isn’t listed for ${namespace}, so Cloud KMS wasn’t asked.`;
    case 'permission_denied':
      return `The server’s account may not decrypt with ${key}.`;
    case 'kms_quota':
      return 'Cloud KMS refused the rate. It is asked again in a moment.';
    case 'kms_unavailable':
      return 'Cloud KMS didn’t answer. It is asked again; data keys in the cache still open.';
    case 'checksum_mismatch':
      return 'The answer of Cloud KMS was damaged on its way. It is asked again.';
    case 'namespace_mismatch':
      return `Sealed for a namespace that ${namespace} doesn’t accept.`;
    case 'workflow_mismatch':
      return `Sealed for another workflow id than ${workflowId}.`;
    case 'integrity_failed':
      return 'The bytes aren’t what was sealed. Changed, cut or mixed up.';
    case 'malformed':
      return `Says ${context.encoding || 'nothing about its encoding'}, and its bytes don’t fit that.`;
    case 'unsupported_version':
      return 'Sealed in a newer format than this server reads.';
    case 'too_large':
      return 'Larger once opened than this server allows.';
    case 'data_key_exhausted':
      return 'The writer refused to seal: its data key is past a hard limit.';
    case 'external_reference':
      return 'Kept outside Temporal; what stands here is a reference to it.';
    case 'format_not_allowed':
      return `${namespace} doesn’t read this format. Its keys file says which it reads.`;
    case 'namespace_not_configured':
      return `No key is configured for ${namespace}.`;
    case 'namespace_not_permitted':
      return (
        `The message was encrypted in ${context.otherNamespace ?? 'another namespace'}, and you may not read it there: ` +
        'that takes the same permission in that namespace, and a justification where it asks for one.'
      );
    case 'layer_unreadable':
      return `It decrypted to another encrypted or compressed payload that ${namespace} doesn’t read.`;
    case 'event_not_found':
      return 'The event is no longer there: retention has passed, or the run was reset.';
    case 'not_encrypted':
      return 'Ciphertext was expected here. Whoever reads Temporal reads this.';
  }
}

const resource = /^projects\/([^/]+)\/locations\/([^/]+)\/keyRings\/([^/]+)\/cryptoKeys\/([^/]+)$/;

/** The `gcloud` line that sets a restorable reason right, where there is one. */
export function remedy(code: ReasonCode, key: KeyUse | undefined): string | undefined {
  const match = resource.exec(key?.name ?? '');
  if (!match) return undefined;
  const [, project, location, ring, name] = match;
  const where = `--keyring=${ring} --location=${location} --project=${project}`;
  if (code === 'permission_denied') {
    return (
      `gcloud kms keys add-iam-policy-binding ${name} ${where} ` +
      '--role=roles/cloudkms.cryptoKeyDecrypter --member=serviceAccount:CODEC_SERVER_ACCOUNT'
    );
  }
  if (key?.version === undefined) return undefined;
  if (code === 'key_disabled') return `gcloud kms keys versions enable ${key.version} --key=${name} ${where}`;
  if (code !== 'key_destroy_scheduled') return undefined;
  // A restored version is disabled until it is enabled.
  return ['restore', 'enable']
    .map((verb) => `gcloud kms keys versions ${verb} ${key.version} --key=${name} ${where}`)
    .join(' && ');
}
