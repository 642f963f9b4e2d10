import { type Payload, unreadableReason } from '@temporal-kms/histories/payloads';
import {
  cryptoKeyId,
  type Format,
  headerTags,
  KmsCodecError,
  messageHeader,
  messageKey,
} from '@temporal-kms/kms-codec';

/**
 * The states of a payload, as far as they can be determined without a key.
 * - `encrypted`: a message in one of this project's formats
 * - `foreign`: encrypted or compressed by a codec that this project does not know
 * - `plaintext`: readable by everyone who can read the history
 * - `empty`: no content, or the constant placeholder of a failure that could not be encrypted
 * - `reference`: the content is in external storage, and was not read
 * - `unreadable`: an export could not decrypt the payload, and contains the reason in place of the payload
 * - `damaged`: a message whose header cannot be read, so that no key can decrypt the message
 */
export const payloadStates = [
  'encrypted',
  'foreign',
  'plaintext',
  'empty',
  'reference',
  'unreadable',
  'damaged',
] as const;
type PayloadState = (typeof payloadStates)[number];

/**
 * A description of a payload, from its metadata and its header. Only decryption can verify the description.
 */
export interface PayloadDescription {
  readonly state: PayloadState;
  readonly format: Format;
  readonly encoding: string;
  /** The visible layers, from the outermost to the innermost. */
  readonly layers: readonly string[];
  /** The key that the payload names; absent if the payload names no crypto key. */
  readonly key?: {
    /** The key's resource name; absent if the header contains only an id, and no known key has this id. */
    readonly name?: string;
    /** In `envelope-v2`: the first 8 bytes of the name's SHA-256, in hexadecimal digits. */
    readonly id?: string;
    readonly version?: number;
    /** Id of a static key in a keys file. */
    readonly static?: string;
  };
  /**
   * In `envelope-v2`: the SHA-256 of the wrapped branch key, by which `deny` in the keys file names the key.
   */
  readonly wrappedKeyHash?: string;
  /** The namespace to which the payload is bound; absent if the payload is not bound to a namespace. */
  readonly namespace?: { readonly tag: string; readonly name?: string };
  /** The workflow to which the payload is bound; absent if the payload is not bound to a workflow. */
  readonly workflow?: { readonly tag: string; readonly id?: string };
  /** How the content is compressed, if that is visible. */
  readonly compressed?: string;
  /** Size of `data` in bytes. */
  readonly bytes: number;
  readonly headerBytes?: number;
  readonly formatVersion?: number;
  /** The object in external storage that contains the payload. */
  readonly object?: string;
  /** The reason code of a damaged message or unreadable object, or the reason given in an export. */
  readonly reason?: string;
}

/** Names whose hashes a header may contain. */
export interface KnownNames {
  readonly keys: readonly string[];
  readonly namespaces: readonly string[];
  /** The workflow for which the payload was encrypted, if known. */
  readonly workflowId?: string | undefined;
}

/** Describes a payload without decrypting it. */
export function describePayload(payload: Payload, known: KnownNames): PayloadDescription {
  const encoding = text(payload, 'encoding');
  const bytes = payload.data?.length ?? 0;
  const marker = text(payload, 'compression-algorithm');
  const outer = marker === '' ? [] : [`${shortened(marker)} (temporal-proxy)`];
  const base = {
    encoding: shortened(encoding),
    bytes,
    ...(marker !== '' && { compressed: shortened(marker) }),
  };
  const exported = unreadableReason(payload);
  if (exported !== undefined) return { ...base, ...unreadable(exported), layers: [] };
  const named = messageKey(payload);
  const { format } = named;
  if (format === 'plain' || format === 'external') {
    const state = named.problem !== undefined ? 'foreign' : stateOf(format, named.empty);
    return {
      ...base,
      format,
      state,
      layers: [...outer, ...(state === 'foreign' && marker === '' ? [base.encoding] : [])],
    };
  }
  const layers = [...outer, format];
  if (format === 'envelope-v2' && marker === '') return { ...base, ...ofHeader(payload, known), format };
  const key = keyOf(named);
  return {
    ...base,
    format,
    state: named.problem === 'malformed' ? 'damaged' : 'encrypted',
    layers,
    ...(key && { key }),
  };
}

function stateOf(format: 'plain' | 'external', empty: true | undefined): PayloadState {
  if (format === 'external') return 'reference';
  return empty ? 'empty' : 'plaintext';
}

function keyOf({ key, staticKey }: ReturnType<typeof messageKey>): PayloadDescription['key'] {
  if (key !== undefined) return { name: key };
  return staticKey === undefined ? undefined : { static: shortened(staticKey) };
}

function ofHeader(payload: Payload, { keys, namespaces, workflowId }: KnownNames) {
  try {
    const header = messageHeader(payload.data ?? new Uint8Array());
    const name = keys.find((key) => cryptoKeyId(key) === header.keyId);
    const namespace = namespaces.find((one) => headerTags.namespace(one) === header.namespaceTag);
    const isOurs =
      namespace !== undefined &&
      workflowId !== undefined &&
      header.workflowTag !== undefined &&
      headerTags.workflows(namespace, workflowId).includes(header.workflowTag);
    return {
      state: 'encrypted',
      formatVersion: 2,
      layers: ['envelope-v2', ...(header.compressed ? ['zstd'] : [])],
      ...(header.compressed && { compressed: 'zstd' }),
      key: { ...(name !== undefined && { name }), id: header.keyId, version: header.keyVersion },
      wrappedKeyHash: header.wrappedKeyHash,
      namespace: { tag: header.namespaceTag, ...(namespace !== undefined && { name: namespace }) },
      ...(header.workflowTag !== undefined && {
        workflow: { tag: header.workflowTag, ...(isOurs && { id: workflowId }) },
      }),
      headerBytes: header.bytes,
    } as const;
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    return { state: 'damaged', layers: ['envelope-v2'], reason: error.code } as const;
  }
}

/** Describes the placeholder that an export contains for a payload that could not be decrypted. */
const unreadable = ({ reason, key, keyVersion }: NonNullable<ReturnType<typeof unreadableReason>>) =>
  ({
    format: 'plain',
    state: 'unreadable',
    reason,
    ...(key !== undefined && { key: { name: shortened(key), ...(keyVersion && { version: keyVersion }) } }),
  }) as const;

const text = ({ metadata }: Payload, name: string): string => Buffer.from(metadata?.[name] ?? []).toString();

/** Shortens text from an unknown source, which may be a whole document. */
export const shortened = (value: string): string => (value.length > 200 ? `${value.slice(0, 200)}…` : value);
