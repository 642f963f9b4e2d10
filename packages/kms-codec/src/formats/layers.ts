import { KmsCodecError } from '../errors.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import type { Payload } from '../wire/inner-payload.ts';
import {
  decompressMarked,
  isCompressed,
  isDecompressible,
  unknownCompression,
} from './compression-marker.ts';
import type { DataKeys } from './data-keys.ts';
import { type Format, formatOf, metadataText } from './encoding.ts';
import { inspect } from './inspect.ts';
import { open, passThrough } from './open.ts';
import { proxyKey } from './proxy.ts';
import type { Scope } from './scope.ts';
import { staticKey } from './static.ts';
import { unopenedCalls } from './unopened.ts';

/*
 * A payload that one codec encrypted may hold what another one encrypted or compressed: this library in a worker behind
 * temporal-proxy, for example. docs/wire-formats.md, "Layers", says what a reader does.
 */

/** Most layers of encryption of one payload. */
const MAX_LAYERS = 4;

/** What happens to a payload that this codec decrypted and that is still encrypted or compressed. */
export type Unreadable = 'refuse' | 'pass';

/**
 * Decrypts a stored payload in a format, and whatever its namespace's rule reads of what was in it. A payload that isn't
 * ours comes back as it is: the same object.
 * @throws `layer_unreadable`, and what the formats' readers find
 */
export function openLayers(
  format: Format,
  keys: DataKeys,
  payload: Payload,
  scope: Scope,
  unreadable: Unreadable,
): MaybePromise<Payload> {
  const openInner = (inner: Payload, layers: number): MaybePromise<Payload> => {
    if (isCompressed(inner)) {
      if (!isDecompressible(inner)) return foreign(inner, unreadable, unknownCompression);
      return andThen(decompressMarked(inner, scope), (decompressed) => openInner(decompressed, layers));
    }
    if (isSurelyPlain(inner)) return inner;
    const innerFormat = formatOf(inner);
    if (innerFormat === 'external' || (innerFormat === 'plain' && !saysEncrypted(inner))) return inner;
    if (innerFormat === 'plain' || !isReadHere(innerFormat, inner, scope)) {
      return foreign(inner, unreadable, () => notReadHere(innerFormat, inner, scope));
    }
    if (layers === MAX_LAYERS) throw tooDeep();
    reserveCalls(keys, inner, scope);
    return andThen(open(innerFormat, keys, inner, scope), (next) => {
      scope.onInnerLayer?.(inspect(inner, scope));
      return openInner(next, layers + 1);
    });
  };
  const opened = open(format, keys, payload, scope);
  if (opened === payload) return payload;
  return andThen(opened, (inner) => openInner(inner, 1));
}

/**
 * Decompresses a stored payload that is marked as compressed. One with a marker that isn't known is another codec's and
 * stays as it is.
 * @throws `format_not_allowed` where the rule refuses plaintext, before anything is decompressed
 */
export function decompressStored(
  format: Format,
  keys: DataKeys,
  payload: Payload,
  scope: Scope,
): MaybePromise<Payload> {
  if (format === 'plain') passThrough(payload, scope);
  if (!isDecompressible(payload)) return payload;
  return andThen(decompressMarked(payload, scope), (message) => {
    reserveCalls(keys, message, scope);
    return message;
  });
}

/** For Cloud KMS's calls that nobody could foresee, because the message was inside another one or compressed. */
function reserveCalls(keys: DataKeys, message: Payload, scope: Scope): void {
  scope.innerKmsCalls?.reserve(unopenedCalls(keys, message, scope));
}

/** @throws `layer_unreadable` for a stored payload of another codec that `open` would give back unread */
export function checkReadable(payload: Payload): void {
  if (formatOf(payload) !== 'plain') return;
  if (isCompressed(payload) && !isDecompressible(payload)) throw unknownCompression();
  if (!saysEncrypted(payload)) return;
  throw new KmsCodecError(
    'layer_unreadable',
    'The payload is encrypted, but it names no key: use the codec that wrote it',
  );
}

/** Its encoding doesn't start with a `b`, as `binary/…` does: what most payloads hold, told without a look at the rest. */
const isSurelyPlain = ({ metadata }: Payload): boolean => metadata?.['encoding']?.[0] !== 0x62;

const saysEncrypted = (payload: Payload): boolean => metadataText(payload, 'encoding') === 'binary/encrypted';

function isReadHere(format: Exclude<Format, 'external' | 'plain'>, payload: Payload, scope: Scope): boolean {
  if (!scope.rule.reads.has(format)) return false;
  if (format === 'proxy') return proxyKey(payload, scope) !== undefined;
  return format !== 'static' || staticKey(payload, scope) !== undefined;
}

function foreign(payload: Payload, unreadable: Unreadable, error: () => KmsCodecError): Payload {
  if (unreadable === 'pass') return payload;
  throw error();
}

/** The name of a crypto key; anything else that decrypted metadata holds isn't for an error to repeat. */
const CRYPTO_KEY =
  /^(?:gcpkms:\/\/)?(projects\/[\w.:-]+\/locations\/[\w-]+\/keyRings\/[\w-]+\/cryptoKeys\/[\w-]+)$/;
const MAX_NAME = 512;

function notReadHere(format: Format, payload: Payload, scope: Scope): KmsCodecError {
  const { namespace } = scope.rule;
  const named = payload.metadata?.[format === 'proxy' ? 'encryption-key-id' : 'kms-key'];
  const key =
    named && named.length <= MAX_NAME ? CRYPTO_KEY.exec(Buffer.from(named).toString())?.[1] : undefined;
  const what = format === 'plain' ? 'encrypted, and names no key' : `in the format ${format}`;
  return new KmsCodecError(
    'layer_unreadable',
    `The payload was decrypted; what it holds is ${what}, which ${namespace} does not read: ` +
      'list the format under the rule\'s "reads", and its key',
    { key },
  );
}

const tooDeep = () =>
  new KmsCodecError('layer_unreadable', `The payload is encrypted more than ${MAX_LAYERS} times over`);
