import { KmsCodecError } from '../errors.ts';
import { dataKeyAad, keyId, namespaceTag, sameBytes, workflowTag } from '../keys/binding.ts';
import { seal } from '../keys/data-key.ts';
import { wrappedKey, type WrappedKey } from '../keys/opened-keys.ts';
import type { SealingKey, SealingPurpose } from '../keys/sealing-keys.ts';
import { parseBox } from '../wire/aead-box.ts';
import { buildHeader, type Header, parseHeader } from '../wire/header.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import type { Payload } from '../wire/inner-payload.ts';
import type { DataKeys } from './data-keys.ts';
import { decryptMessage } from './decrypt.ts';
import { ENCODING } from './encoding.ts';
import type { Scope } from './scope.ts';

/*
 * `binary/envelope-kms-v2`: AES-256-GCM under a data key that Cloud KMS wrapped for one namespace; the header is the
 * additional authenticated data. docs/wire-formats.md is the specification.
 */

export function purposeV2(namespace: string, cryptoKey: string): SealingPurpose {
  return {
    id: `v2/${namespace.length}/${namespace}${cryptoKey}`,
    namespace,
    cryptoKey,
    aad: dataKeyAad(namespace),
  };
}

/** @param workflowId binds the message to it as well */
export function sealV2(
  key: SealingKey,
  plaintext: readonly Uint8Array[],
  compressed: boolean,
  workflowId: string | undefined,
): Payload {
  return {
    metadata: { encoding: ENCODING.envelopeV2 },
    data: seal(key.key, headerFor(key, compressed, workflowId), plaintext),
  };
}

const plainHeaders = new WeakMap<SealingKey, Uint8Array>();

/** All messages under one data key start alike, but for compressed and workflow-bound ones. */
function headerFor(key: SealingKey, compressed: boolean, workflowId: string | undefined): Uint8Array {
  const plain = !compressed && workflowId === undefined;
  const known = plain ? plainHeaders.get(key) : undefined;
  if (known) return known;
  const { namespace, cryptoKey } = key.purpose;
  const header = buildHeader({
    compressed,
    keyId: keyId(cryptoKey),
    keyVersion: key.keyVersion,
    namespaceTag: namespaceTag(namespace),
    workflowTag: workflowId === undefined ? undefined : workflowTag(namespace, workflowId),
    wrappedKey: key.wrapped,
  });
  if (plain) plainHeaders.set(key, header);
  return header;
}

/** A header that this scope accepts. */
export interface AcceptedHeader {
  /** As it stands: the message's additional authenticated data. */
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
  /** The namespace that the message names, one of those that the scope accepts. */
  readonly namespace: string;
  readonly dataKey: WrappedKey;
}

/** Messages in a row mostly share their header: the last one that had no workflow tag, beside what was found for it. */
const recent = new WeakMap<Scope['accepted'], AcceptedHeader & { readonly bytes: Buffer }>();

/**
 * Reads the header and holds it against what this scope accepts, in the order that docs/wire-formats.md gives. No
 * Cloud KMS call: the header's fields are claims until the message has opened.
 * @throws `malformed`, `unsupported_version`, `namespace_mismatch`, `workflow_mismatch`, `key_not_allowed`
 */
export function acceptHeader(data: Uint8Array, scope: Scope): AcceptedHeader {
  const last = recent.get(scope.accepted);
  if (last && startsWith(data, last.bytes)) return last;
  const { header, length } = parseHeader(data);
  // A message that is cut off is told as such before anything that it claims: the whole length comes first.
  parseBox(data, length);
  const { namespace, cryptoKey } = checkClaims(header, scope);
  const found = {
    // Copies, this and `wrapped`: a view would keep the whole message in memory.
    bytes: Buffer.from(data.subarray(0, length)),
    compressed: header.compressed,
    namespace,
    dataKey: wrappedKey({
      cryptoKey,
      aad: dataKeyAad(namespace),
      wrapped: Uint8Array.from(header.wrappedKey),
      keyVersion: header.keyVersion,
    }),
  };
  if (!header.workflowTag) recent.set(scope.accepted, found);
  return found;
}

function checkClaims(
  header: Header,
  scope: Scope,
): { readonly namespace: string; readonly cryptoKey: string } {
  const accepted = scope.accepted.find(({ tag }) => sameBytes(tag, header.namespaceTag));
  if (!accepted) {
    throw new KmsCodecError(
      'namespace_mismatch',
      `The message was sealed for a namespace that ${scope.rule.namespace} doesn't accept`,
    );
  }
  const { namespace } = accepted;
  if (header.workflowTag && scope.workflowId !== undefined) {
    if (!sameBytes(header.workflowTag, workflowTag(namespace, scope.workflowId))) {
      throw new KmsCodecError('workflow_mismatch', 'The message was sealed for another workflow id');
    }
  }
  const cryptoKey = accepted.keys.find((key) => sameBytes(keyId(key), header.keyId));
  if (cryptoKey === undefined) {
    throw new KmsCodecError(
      'key_not_allowed',
      `The message names a key that isn't listed for ${scope.rule.namespace}, so Cloud KMS wasn't asked`,
      { keyVersion: header.keyVersion },
    );
  }
  return { namespace, cryptoKey };
}

const startsWith = (data: Uint8Array, start: Buffer) =>
  data.length >= start.length && start.compare(data, 0, start.length) === 0;

export function openV2(keys: DataKeys, data: Uint8Array, scope: Scope): MaybePromise<Payload> {
  const { bytes, compressed, namespace, dataKey } = acceptHeader(data, scope);
  const message = { box: parseBox(data, bytes.length), aad: bytes, compressed };
  const decrypt = () => keys.withOpened(scope, dataKey, (key) => decryptMessage(key, message, scope));
  const { authorizeNamespace } = scope;
  if (authorizeNamespace === undefined || namespace === scope.rule.namespace) return decrypt();
  return andThen(authorizeNamespace(namespace), decrypt);
}
