import { isEncoding, metadataText, passThrough, type WireFormat } from './format.ts';
import type { ParsedMessage } from './parsed-message.ts';
import { isFailurePlaceholder } from './failure-placeholder.ts';
import { isEmpty, type Payload } from './payload.ts';
import type { Scope } from './scope.ts';

/* Payloads that this codec did not encrypt. */

const EXTERNAL_REFERENCE = Buffer.from('json/external-storage-reference');
const PROTOBUF_JSON = Buffer.from('json/protobuf');
const REFERENCE_TYPE = 'temporal.api.sdk.v1.ExternalStorageReference';

/** @throws KmsCodecError `format_not_allowed` if the namespace's rule refuses plaintext */
export const passReference = (payload: Payload, scope: Scope): Payload =>
  passThrough(
    payload,
    scope,
    'is a reference to external storage, which is not authenticated and counts as plaintext',
  );

const reference: ParsedMessage = { reason: 'external_reference' };
const refused: ParsedMessage = { reason: 'format_not_allowed' };

/**
 * A reference to external storage. The reference is not authenticated, so an attacker who can write to
 * Temporal can choose the object. A reference therefore counts as plaintext: `encode` and `decode` return the
 * reference unchanged, unless the rule refuses plaintext.
 */
export const external: WireFormat = {
  name: 'external',
  claims: (encoding, payload) =>
    isEncoding(encoding, EXTERNAL_REFERENCE) ||
    (isEncoding(encoding, PROTOBUF_JSON) && metadataText(payload, 'messageType') === REFERENCE_TYPE),
  parse: (_, { rule }) => (rule.plaintext === 'refuse' ? refused : reference),
  decrypt: (_, payload, { scope }) => passReference(payload, scope),
};

const expected: ParsedMessage = {};
const notEncrypted: ParsedMessage = { reason: 'not_encrypted' };

/**
 * Returns whether a plaintext payload has nothing to hide. The codec neither reports nor refuses such a
 * payload.
 */
const hidesNothing = (payload: Payload): boolean => isEmpty(payload) || isFailurePlaceholder(payload);

/** The format of all payloads that no other format recognizes. */
export const plain: WireFormat = {
  name: 'plain',
  claims: () => true,
  parse(payload, { rule }) {
    if (rule.plaintext === 'pass' || hidesNothing(payload)) return expected;
    return rule.plaintext === 'refuse' ? refused : notEncrypted;
  },
  decrypt: (_, payload, { scope }) => (hidesNothing(payload) ? payload : passThrough(payload, scope)),
};
