import { checkLength, encrypt } from '../crypto/aead.ts';
import { derivation, type Derivation } from '../branch-keys/branch-key.ts';
import {
  branchKeyAad,
  dataKeyInfo,
  isOfWorkflow,
  keyId,
  namespaceTag,
  sameBytes,
  workflowTag,
} from '../crypto/tags.ts';
import { KmsCodecError } from '../errors.ts';
import { wrappedKey, type WrappedKey } from '../crypto/wrapped-key.ts';
import type { EncryptionKey } from '../keys/scope-key.ts';
import { andThen } from '../maybe-promise.ts';
import { compress } from '../compression/zstd.ts';
import { decryptWithWrappedKey, encryptWithDataKey, type Encryption } from './aead-message.ts';
import { isUsualObject } from './check-payload.ts';
import { buildHeader, type Header, parseHeader, saltStart } from './envelope-v2-header.ts';
import {
  checkFormat,
  checkNotDenied,
  type Encrypted,
  type EncryptOptions,
  isEncoding,
  keyNotListed,
  type WritableWireFormat,
} from './format.ts';
import type { ParsedMessage } from './parsed-message.ts';
import type { Payload } from './payload.ts';
import type { Call, Scope } from './scope.ts';

/*
 * `binary/envelope-kms-v2` is AES-256-GCM under a data key that is derived from a branch key. Cloud KMS has
 * wrapped the branch key for one namespace. The header is the additional authenticated data.
 * docs/wire-formats.md is the specification.
 */

const ENCODING = Buffer.from('binary/envelope-kms-v2');

export interface EnvelopeV2Message extends ParsedMessage, Encryption {
  /** The header's bytes. */
  readonly aad: Buffer;
  readonly isCompressed: boolean;
  /** The namespace that the message names, which the scope accepts. */
  readonly namespace: string;
  readonly branchKey: WrappedKey;
  readonly derivation: Derivation;
}

export const envelopeV2: WritableWireFormat<EnvelopeV2Message> = {
  name: 'envelope-v2',

  claims: (encoding) => isEncoding(encoding, ENCODING),

  parse: (payload, scope) => parseMessage(payload.data ?? new Uint8Array(), scope),

  decrypt(message, payload, call) {
    const { options } = call;
    if (options.authorizeNamespace === undefined || message.namespace === call.scope.rule.namespace) {
      return decryptWithWrappedKey(message.branchKey, payload, message, call);
    }
    return andThen(options.authorizeNamespace(message.namespace), () =>
      decryptWithWrappedKey(message.branchKey, payload, message, call),
    );
  },

  dataKeyScope: (namespace, cryptoKey) => ({
    id: `v2/${namespace.length}/${namespace}${cryptoKey}`,
    namespace,
    cryptoKey,
    aad: branchKeyAad(namespace),
    info: dataKeyInfo(namespace),
  }),

  encrypt: (payload, call, options) =>
    encryptWithDataKey(payload, call, (key, pieces) => encryptMessage(key, pieces, call, options)),
};

const boundToWorkflow = { boundToWorkflow: true } as const;

/**
 * Maximum number of writers for which a scope keeps a parsed message. A process counts as one or two writers,
 * so a fleet rarely has more writers than this at a time.
 */
const MAX_KEPT = 64;

/**
 * Parses and checks a message in the order that docs/wire-formats.md specifies. A scope keeps parsed messages
 * for reuse, because all messages that one process encrypts under one data key have the same header. A scope
 * does not keep messages that are bound to a workflow.
 */
function parseMessage(data: Uint8Array, scope: Scope): EnvelopeV2Message {
  const kept = keptMessage(data, scope);
  if (kept) return kept;
  checkFormat('envelope-v2', scope);
  const { header, length } = parseHeader(data);
  // Checks the length before the header's content, so that a truncated message is always `malformed`.
  checkLength(data, length);
  const { namespace, cryptoKey } = checkHeader(header, scope);
  const { keyVersion } = header;
  // Copies the bytes, because views would keep the whole message in memory.
  const branchKey = wrappedKey({
    cryptoKey,
    aad: branchKeyAad(namespace),
    wrapped: new Uint8Array(header.wrappedKey),
    keyVersion,
    isBranchKey: true,
  });
  const message = {
    key: cryptoKey,
    keyVersion,
    namespace,
    ...(header.workflowTag ? boundToWorkflow : {}),
    wrappedKeys: [branchKey],
    aad: Buffer.from(data.subarray(0, length)),
    isCompressed: header.compressed,
    hasLayers: false,
    branchKey,
    derivation: derivation(
      new Uint8Array(header.salt),
      new Uint8Array(header.commitment),
      dataKeyInfo(namespace),
    ),
  };
  const salt = saltStart(data);
  if (salt !== undefined) keep(scope, salt, message);
  return message;
}

/**
 * Returns the parsed message with the same header, if the scope has kept one. The scope has already accepted
 * this header.
 * @throws KmsCodecError `malformed` if the message is truncated
 */
function keptMessage(data: Uint8Array, { kept }: Pick<Scope, 'kept'>): EnvelopeV2Message | undefined {
  const salt = saltStart(data);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Only `keep` adds messages.
  const message = (salt === undefined ? undefined : kept.get(salt)) as EnvelopeV2Message | undefined;
  if (message === undefined) return undefined;
  const { aad } = message;
  if (data.length < aad.length || aad.compare(data, 0, aad.length) !== 0) return undefined;
  checkLength(data, aad.length);
  return message;
}

/**
 * Returns what `parse` would return, if the payload has exactly the metadata that writers produce and the
 * scope keeps a message with the same header.
 */
export function knownMessage(
  metadata: unknown,
  data: Uint8Array,
  scope: Pick<Scope, 'kept'>,
): EnvelopeV2Message | undefined {
  if (!isUsualObject(metadata)) return undefined;
  for (const name in metadata) if (name !== 'encoding') return undefined;
  const { encoding } = metadata;
  const isOurs = encoding instanceof Uint8Array && isEncoding(encoding, ENCODING);
  return isOurs ? keptMessage(data, scope) : undefined;
}

function keep({ kept }: Scope, salt: number, message: EnvelopeV2Message): void {
  kept.set(salt, message);
  // A Map keeps insertion order, so its first key is the oldest.
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT) break;
    kept.delete(oldest);
  }
}

/** Returns the namespace and crypto key that a header names. */
function checkHeader(
  header: Header,
  scope: Scope,
): { readonly namespace: string; readonly cryptoKey: string } {
  const { accepted, rule, otherNamespaces } = scope;
  const origin = accepted.find(({ tag }) => sameBytes(tag, header.namespaceTag));
  if (!origin) {
    const other = otherNamespaces().find((name) => sameBytes(namespaceTag(name), header.namespaceTag));
    const isOwn = sameBytes(namespaceTag(rule.namespace), header.namespaceTag);
    const message = isOwn ? notConfigured(rule.namespace) : notAccepted(rule.namespace, other);
    throw new KmsCodecError('namespace_mismatch', message);
  }
  const { namespace, keys } = origin;
  checkWorkflow(header, namespace, scope);
  const cryptoKey = keys.find((key) => sameBytes(keyId(key), header.keyId));
  if (cryptoKey === undefined) throw keyNotListed(rule.namespace, header.keyVersion);
  checkNotDenied(header.wrappedKey, scope, header.keyVersion);
  return { namespace, cryptoKey };
}

/**
 * @throws KmsCodecError `format_not_allowed` if the rule requires a workflow tag and the header has none;
 *   `workflow_mismatch`
 */
function checkWorkflow(header: Header, namespace: string, { rule, workflowId }: Scope): void {
  if (header.workflowTag === undefined) {
    if (rule.workflowTag === undefined) return;
    throw new KmsCodecError(
      'format_not_allowed',
      `The message has no workflow tag, which the rule for the namespace ${rule.namespace} requires; have its writer bind ` +
        'messages to their workflow, or remove "workflowTag" from the rule',
    );
  }
  if (!workflowId || isOfWorkflow(header.workflowTag, namespace, workflowId)) return;
  throw new KmsCodecError('workflow_mismatch', 'The message was encrypted for another workflow id');
}

/**
 * @param other the message's namespace, if the rules name it; the message itself contains only a hash of the
 *   name
 */
function notAccepted(namespace: string, other: string | undefined): string {
  const from = other === undefined ? 'a namespace that has no rule,' : `the namespace ${other},`;
  const remedy = `If ${namespace} may read it, add ${other ?? 'that namespace'} to accepts in the rule for ${namespace}`;
  return `The message was encrypted in ${from} which ${namespace} does not accept. ${remedy}`;
}

/**
 * Returns the error text for a message from the context's namespace, if no rule names that namespace. The
 * context alone does not permit reading the message (see `Scopes.toDecrypt`).
 */
const notConfigured = (namespace: string): string =>
  `The message was encrypted in the namespace ${namespace}, but this codec is configured with another namespace. If it should ` +
  `read ${namespace}, add a rule for ${namespace} to the keys file`;

function encryptMessage(
  key: EncryptionKey,
  pieces: readonly Uint8Array[],
  call: Call,
  { compression, workflowId }: EncryptOptions,
): Encrypted {
  const frame = compression === 'zstd' ? compress(pieces, call.maxDecompressedBytes) : undefined;
  const { header, message } = prefixOf(key, frame !== undefined, workflowId);
  const data = encrypt(key.key, header, frame ? [frame] : pieces);
  return { payload: { metadata: { encoding: ENCODING }, data }, message };
}

/** Encrypts a serialized payload that is neither compressed nor bound to a workflow. */
export const encryptPlain = (key: EncryptionKey, piece: Uint8Array): Payload => ({
  metadata: { encoding: ENCODING },
  data: encrypt(key.key, prefixOf(key, false, undefined).header, [piece]),
});

/** The parts that all messages under one key have in common if they are neither compressed nor bound to a workflow. */
interface Prefix {
  readonly header: Uint8Array;
  readonly message: ParsedMessage;
}

const plainPrefixes = new WeakMap<EncryptionKey, Prefix>();

function prefixOf(key: EncryptionKey, isCompressed: boolean, workflowId: string | undefined): Prefix {
  const isPlain = !isCompressed && workflowId === undefined;
  const known = isPlain ? plainPrefixes.get(key) : undefined;
  if (known) return known;
  const { namespace, cryptoKey } = key.scope;
  const { keyVersion, wrapped } = key.source;
  const header = buildHeader({
    compressed: isCompressed,
    keyId: keyId(cryptoKey),
    keyVersion,
    namespaceTag: namespaceTag(namespace),
    workflowTag: workflowId === undefined ? undefined : workflowTag(namespace, workflowId),
    salt: key.salt,
    commitment: key.commitment,
    wrappedKey: wrapped,
  });
  const bound = workflowId === undefined ? {} : boundToWorkflow;
  const prefix = { header, message: { key: cryptoKey, keyVersion, namespace, ...bound } };
  if (isPlain) plainPrefixes.set(key, prefix);
  return prefix;
}
