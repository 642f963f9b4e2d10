import {
  escapeInvisible,
  type KeyUse,
  type ReasonCode,
  reasons,
  type StoredContent,
} from '@temporal-kms/codec-api';

export interface ReasonContext {
  readonly namespace: string;
  readonly workflowId: string;
  readonly key?: KeyUse | undefined;
  readonly encoding?: string | undefined;
  /** The namespace that the message specifies, if it differs from the history's namespace. */
  readonly otherNamespace?: string | undefined;
  /** The payload's location in external storage. */
  readonly stored?: StoredContent | undefined;
}

/** Returns the last part of the key's resource name and the version, if known: `payments v7`. */
function keyTitle(key: KeyUse | undefined): string {
  const name = key?.name?.split('/').at(-1);
  const version = key?.version === undefined ? undefined : `v${key.version}`;
  return [name, version].filter((part) => part !== undefined).join(' ') || 'The key';
}

/** Explains a reason code: what happened, why, and what to do. Invisible characters in names are escaped. */
export function explain(code: ReasonCode, context: ReasonContext): string {
  const isObject = code === 'too_large' && context.stored !== undefined;
  const action = isObject ? 'Fetch it with the application’s storage driver.' : reasons[code].remedy;
  return escapeInvisible(`${meaningOf(code, context)} ${withoutMarkup(action)}`);
}

const withoutMarkup = (text: string) => text.replaceAll('`', '');

/** Returns a code's meaning, with the names from the context. */
function meaningOf(code: ReasonCode, context: ReasonContext): string {
  const key = keyTitle(context.key);
  const { namespace, workflowId, stored } = context;
  const place = stored ? `, in ${stored.bucket}` : '';
  switch (code) {
    case 'key_not_allowed':
      return `The server’s keys file does not list this key for ${namespace}, so the server did not call Cloud KMS.`;
    case 'permission_denied':
      return `The server’s service account may not decrypt with ${key}.`;
    case 'namespace_mismatch':
      return `The message was encrypted for a namespace that ${namespace} does not accept.`;
    case 'workflow_mismatch':
      return `The message was encrypted for a workflow id other than ${workflowId}.`;
    case 'namespace_not_permitted':
      return `The message was encrypted in ${context.otherNamespace ?? 'another namespace'}, and you may not read it there.`;
    case 'malformed':
      return stored
        ? 'The stored object is malformed, or contains another reference to external storage.'
        : `The content does not match its encoding: ${context.encoding || 'none'}.`;
    case 'storage_not_allowed':
      return `The server’s storage file does not let ${namespace} read this object${place}.`;
    case 'storage_not_found':
      return `The object is no longer in external storage${place}.`;
    case 'external_reference':
      return `The value is in external storage${place}, which the server does not read.`;
    default:
      if (code === 'too_large' && stored) return 'The object is larger than the server’s limit.';
      return withoutMarkup(reasons[code].meaning).replace(/^The key version/, () => key);
  }
}

const resource = /^projects\/([^/]+)\/locations\/([^/]+)\/keyRings\/([^/]+)\/cryptoKeys\/([^/]+)$/;

/** Returns the `gcloud` command that makes the payload readable again, or undefined if there is none. */
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
  // Cloud KMS restores a key version in the disabled state, so it must also be enabled.
  return ['restore', 'enable']
    .map((verb) => `gcloud kms keys versions ${verb} ${key.version} --key=${name} ${where}`)
    .join(' && ');
}
