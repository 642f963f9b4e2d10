import { KmsCodecError } from '../errors.ts';
import { dataKeyAad, keyId, sameBytes, workflowTag } from '../keys/binding.ts';
import { open, seal } from '../keys/data-key.ts';
import type { SealingKey, SealingPurpose } from '../keys/sealing-keys.ts';
import { type Box, parseBox } from '../wire/aead-box.ts';
import { buildHeader, type Header, parseHeader } from '../wire/header.ts';
import { deserialize, type Payload } from '../wire/inner-payload.ts';
import { decompress } from './compression.ts';
import type { DataKeys, MaybePromise } from './data-keys.ts';
import { ENCODING } from './encoding.ts';
import type { Scope } from './scope.ts';

/*
 * `binary/envelope-kms-v2`: AES-256-GCM under a data key that Cloud KMS wrapped for one namespace; the header is the
 * additional authenticated data. docs/wire-formats.md is the specification.
 */

const metadata = () => ({ encoding: ENCODING.envelopeV2 });

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
  plaintext: Uint8Array,
  compressed: boolean,
  workflowId: string | undefined,
): Payload {
  return { metadata: metadata(), data: seal(key.key, headerFor(key, compressed, workflowId), plaintext) };
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
    namespaceTag: key.purpose.aad.subarray(-16),
    workflowTag: workflowId === undefined ? undefined : workflowTag(namespace, workflowId),
    wrappedKey: key.wrapped,
  });
  if (plain) plainHeaders.set(key, header);
  return header;
}

export interface LocatedV2 {
  readonly header: Header;
  readonly headerLength: number;
  readonly box: Box;
  readonly namespace: string;
  readonly cryptoKey: string;
}

/**
 * Reads the header and holds it against what this scope accepts, in the order that docs/wire-formats.md gives. No
 * Cloud KMS call: the header's fields are claims until the message has opened.
 * @throws `malformed`, `unsupported_version`, `namespace_mismatch`, `workflow_mismatch`, `key_not_allowed`
 */
export function locateV2(data: Uint8Array, scope: Scope): LocatedV2 {
  const { header, length } = parseHeader(data);
  // A message that is cut off is told as such before anything that it claims: the whole length comes first.
  const box = parseBox(data, length);
  const { keyVersion } = header;
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
      { keyVersion },
    );
  }
  return { header, headerLength: length, box, namespace, cryptoKey };
}

/** @param maxBytes most bytes of plaintext that a compressed message may hold */
export function openV2(
  keys: DataKeys,
  data: Uint8Array,
  scope: Scope,
  maxBytes: number,
): MaybePromise<Payload> {
  const { header, headerLength, box, namespace, cryptoKey } = locateV2(data, scope);
  const wrapped = {
    cryptoKey,
    aad: dataKeyAad(namespace),
    wrapped: header.wrappedKey,
    keyVersion: header.keyVersion,
  };
  return keys.withOpened(scope, wrapped, (key) => {
    const plaintext = open(key, data.subarray(0, headerLength), box);
    return deserialize(header.compressed ? decompress(plaintext, maxBytes) : plaintext);
  });
}
