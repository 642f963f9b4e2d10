import { compressedElsewhere, isCompressed } from './compression-marker.ts';
import { KmsCodecError } from '../errors.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import { isEncoding, namedCryptoKey } from './format.ts';
import { addKmsCalls, formatOf, infoOf, type ParsedPayload, parsePayload } from './formats.ts';
import type { Payload } from './payload.ts';
import type { Call } from './scope.ts';
import { ENCRYPTED_ENCODING } from './static.ts';

/*
 * A codec can encrypt payloads that another codec has already encrypted or compressed. For example,
 * temporal-proxy encrypts what this library has encrypted in a worker. docs/wire-formats.md, "Layers",
 * specifies how readers treat such payloads.
 */

const MAX_LAYERS = 4;

/**
 * Decrypts a stored payload, and the layers in it that the namespace's rule reads. Returns the same object if
 * the payload passes unchanged.
 * @throws KmsCodecError `layer_unreadable`, and any error of the formats
 */
export function decryptStored(parsed: ParsedPayload, call: Call): MaybePromise<Payload> {
  const { payload, format, message, error } = parsed;
  if (error) throw error;
  const decrypted = format.decrypt(message, payload, call);
  if (decrypted === payload) return decrypted;
  return andThen(decrypted, (content) => {
    message.hasLayers = !isContent(content);
    return message.hasLayers ? decryptContent(content, 1, call) : content;
  });
}

/**
 * Returns whether a decrypted payload is pure content, without a further layer that this codec would decrypt
 * or refuse.
 */
export function isContent(payload: Payload): boolean {
  if (isCompressed(payload)) return false;
  // Most payloads, and all references to external storage, have an encoding that does not begin with
  // `binary/`.
  if (payload.metadata?.['encoding']?.[0] !== 0x62) return true;
  return formatOf(payload).name === 'plain' && !isEncrypted(payload);
}

/**
 * Decrypts a payload that contains a further layer.
 * @param layers the number of layers that are already decrypted
 */
function decryptContent(payload: Payload, layers: number, call: Call): MaybePromise<Payload> {
  if (isCompressed(payload)) return unreadable(payload, call, compressedElsewhere);
  const parsed = parsePayload(payload, call.scope);
  const { format } = parsed;
  const reads: ReadonlySet<string> = call.scope.rule.reads;
  if (!reads.has(format.name) || parsed.message.passes) {
    return unreadable(payload, call, () => notReadHere(parsed, call));
  }
  if (layers === MAX_LAYERS) throw tooManyLayers();
  reserveKmsCalls(parsed, call);
  if (parsed.error) throw parsed.error;
  return andThen(format.decrypt(parsed.message, payload, call), (content) => {
    call.options.onInnerLayer?.(infoOf(parsed));
    return isContent(content) ? content : decryptContent(content, layers + 1, call);
  });
}

/** Reserves the Cloud KMS calls for an inner layer, because a plan cannot count these calls in advance. */
function reserveKmsCalls({ message }: ParsedPayload, { options, keys }: Call): void {
  if (options.innerKmsCalls === undefined) return;
  const ids = new Set<string>();
  addKmsCalls(ids, message, keys);
  options.innerKmsCalls.reserve([...ids]);
}

/**
 * Checks that no other codec has encrypted or compressed a stored payload that this codec would return
 * unchanged.
 * @throws KmsCodecError `layer_unreadable`
 */
export function checkReadable({ payload, format, message }: ParsedPayload): void {
  // If the rule refuses the payload, the format's `decrypt` throws an error.
  if (format.name !== 'plain' || message.reason === 'format_not_allowed') return;
  if (isCompressed(payload)) throw compressedElsewhere();
  if (!isEncrypted(payload)) return;
  throw new KmsCodecError(
    'layer_unreadable',
    'The payload is encrypted but names no key; decode the payload with the codec that wrote it',
  );
}

const isEncrypted = ({ metadata }: Payload): boolean => {
  const encoding = metadata?.['encoding'];
  return encoding !== undefined && isEncoding(encoding, ENCRYPTED_ENCODING);
};

function unreadable(payload: Payload, { onUnreadableLayer }: Call, error: () => KmsCodecError): Payload {
  if (onUnreadableLayer === 'pass') return payload;
  throw error();
}

function notReadHere({ payload, format }: ParsedPayload, { scope }: Call): KmsCodecError {
  const key = namedCryptoKey(payload, format.name === 'proxy' ? 'encryption-key-id' : 'kms-key');
  const content = format.name === 'plain' ? 'encrypted and names no key' : `in the format ${format.name}`;
  return new KmsCodecError(
    'layer_unreadable',
    `The payload was decrypted, but its content is ${content}, which the namespace ${scope.rule.namespace} does not ` +
      'read; add the format to "reads" and the key to "decrypt" in the rule for the namespace',
    { key },
  );
}

const tooManyLayers = () =>
  new KmsCodecError('layer_unreadable', `The payload has more than ${MAX_LAYERS} layers of encryption`);
