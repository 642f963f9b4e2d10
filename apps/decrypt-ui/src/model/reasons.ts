import { escapeInvisible, type KeyUse, type ReasonCode } from '@temporal-kms/codec-api';

/** Amber: someone can fix it. Orange: it passes without help. Red: it is permanent. Grey: it is information. */
type ReasonTone = 'pending' | 'timed-out' | 'failed' | 'neutral';
export type ReasonIcon = 'lock' | 'open' | 'clock' | 'shield' | 'file' | 'weight' | 'key' | 'elsewhere';

/** How the page shows a reason code. */
export interface ReasonText {
  readonly short: string;
  readonly tone: ReasonTone;
  readonly icon: ReasonIcon;
  /** Whether and how this can change, in a word or two. */
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
  kms_quota: reason('KMS quota', 'timed-out', 'clock', 'retries automatically'),
  kms_unavailable: reason('KMS unreachable', 'timed-out', 'clock', 'retries automatically'),
  checksum_mismatch: reason('Checksum differs', 'timed-out', 'clock', 'retries automatically'),
  namespace_mismatch: reason('Other namespace', 'failed', 'shield', 'moved or misrouted'),
  workflow_mismatch: reason('Other workflow', 'failed', 'shield', 'moved or misrouted'),
  integrity_failed: reason('Integrity failed', 'failed', 'shield', 'permanent'),
  malformed: reason('Malformed', 'failed', 'file', 'permanent'),
  unsupported_version: reason('Newer format', 'pending', 'file', 'needs a newer server'),
  too_large: reason('Too large', 'pending', 'weight', 'needs a setting'),
  data_key_exhausted: reason('Data key spent', 'pending', 'key', 'worker refused to encrypt'),
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
  /** The namespace in the message, if it is not the history's. */
  readonly otherNamespace?: string | undefined;
}

/** `payments v7`: the last part of the key's resource name and the version, if they are known. */
function keyTitle(key: KeyUse | undefined): string {
  const name = key?.name?.split('/').at(-1);
  const version = key?.version === undefined ? undefined : `v${key.version}`;
  return [name, version].filter((part) => part !== undefined).join(' ') || 'The key';
}

/** Explains a reason code: what happened, why, and what to do. Invisible characters in names are escaped. */
export const explain = (code: ReasonCode, context: ReasonContext): string =>
  escapeInvisible(explanation(code, context));

function explanation(code: ReasonCode, context: ReasonContext): string {
  const key = keyTitle(context.key);
  const { namespace, workflowId } = context;
  switch (code) {
    case 'key_disabled':
      return `${key} is disabled. Enable it in Cloud KMS to decrypt this payload.`;
    case 'key_destroy_scheduled':
      return `${key} is scheduled for destruction. Restore it in Cloud KMS before it is destroyed.`;
    case 'key_destroyed':
      return `${key} was destroyed. This payload can never be decrypted again.`;
    case 'key_not_found':
      return 'Cloud KMS has no key with this name in this project and location. Check the key’s name.';
    case 'key_not_allowed':
      return `The server’s configuration does not allow this key for ${namespace}, so the server did not call Cloud KMS.`;
    case 'permission_denied':
      return `The server’s service account has no permission to decrypt with ${key}. Grant it the role Decrypter.`;
    case 'kms_quota':
      return 'The Cloud KMS quota is exceeded. The request is repeated automatically.';
    case 'kms_unavailable':
      return 'Cloud KMS does not answer. The request is repeated automatically; cached keys keep working.';
    case 'checksum_mismatch':
      return 'The answer of Cloud KMS was damaged in transit. The request is repeated automatically.';
    case 'namespace_mismatch':
      return `This was encrypted for a namespace that ${namespace} does not accept.`;
    case 'workflow_mismatch':
      return `This was encrypted for another workflow id than ${workflowId}.`;
    case 'integrity_failed':
      return 'Authentication failed: the message was modified or truncated, or the key is wrong.';
    case 'malformed':
      return `The content does not match its encoding: ${context.encoding || 'none'}.`;
    case 'unsupported_version':
      return 'This was encrypted in a newer format than this server supports. Upgrade the server.';
    case 'too_large':
      return 'The plaintext is larger than this server’s limit.';
    case 'data_key_exhausted':
      return 'The worker did not encrypt this: its key is past a hard limit.';
    case 'external_reference':
      return 'The value is stored outside Temporal. This payload is a reference to it.';
    case 'format_not_allowed':
      return `This format is not allowed for ${namespace}. The server’s keys file lists the allowed formats.`;
    case 'namespace_not_configured':
      return `No key is configured for ${namespace}. Add one to the server’s keys file.`;
    case 'namespace_not_permitted':
      return (
        `The message was encrypted in ${context.otherNamespace ?? 'another namespace'}, and you may not read it there. ` +
        'You need the same permission in that namespace, and a justification if it requires one.'
      );
    case 'layer_unreadable':
      return `The plaintext is another encrypted or compressed payload, and ${namespace} does not allow its format.`;
    case 'event_not_found':
      return 'The event no longer exists: its retention period has passed, or the run was reset.';
    case 'not_encrypted':
      return 'This payload is not encrypted. Everyone with access to Temporal can read it.';
  }
}

const resource = /^projects\/([^/]+)\/locations\/([^/]+)\/keyRings\/([^/]+)\/cryptoKeys\/([^/]+)$/;

/** The `gcloud` command that makes the payload readable again; undefined if there is none. */
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
  // Cloud KMS restores a version to the state disabled.
  return ['restore', 'enable']
    .map((verb) => `gcloud kms keys versions ${verb} ${key.version} --key=${name} ${where}`)
    .join(' && ');
}
