import type { ReasonCode } from '../../../src/errors.ts';
import type { Format } from '../../../src/formats/format.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import { asVector, payload, serialized } from './bytes.ts';
import { box, dataKey, key, unwraps } from './message.ts';
import { KEY, NAMESPACE, secret } from './v2.ts';
import type { Vector, VectorRule } from './vector.ts';

const none = Buffer.alloc(0);

interface CaseOlder extends Partial<Pick<Vector, 'kms' | 'asked'>> {
  readonly name: string;
  readonly why: string;
  /** Rules in addition to `encrypt` and to `reads` with the format of the case. */
  readonly rule?: VectorRule;
  readonly stored?: (message: Payload) => Payload;
  readonly plaintext?: Uint8Array;
  /** The result, if it is not the usual payload. */
  readonly inner?: Payload;
  /** `unchanged`: the stored payload is the result. */
  readonly expect?: ReasonCode | 'unchanged';
}

/** Encrypts a message in the format of the case, before the case changes it. */
type Encrypt = (plaintext: Uint8Array, name: string) => Payload;

function build(
  format: Exclude<Format, 'external' | 'plain' | 'envelope-v2'>,
  encrypt: Encrypt,
  kms: Vector['kms'],
) {
  return (given: CaseOlder): Vector => {
    const message = encrypt(given.plaintext ?? serialized(secret), given.name);
    const stored = given.stored?.(message) ?? message;
    const { expect } = given;
    const opens = expect === undefined;
    return {
      name: given.name,
      why: given.why,
      format,
      keys: { namespaces: { [NAMESPACE]: { encrypt: KEY, reads: ['envelope-v2', format], ...given.rule } } },
      context: { namespace: NAMESPACE },
      kms: given.kms ?? kms,
      stored: asVector(stored),
      expect: opens
        ? { payload: asVector(given.inner ?? secret) }
        : expect === 'unchanged'
          ? { payload: asVector(stored) }
          : { code: expect },
      asked: given.asked ?? (opens && kms.length > 0 ? [KEY] : []),
    };
  };
}

const dek = dataKey('older');
const encrypted: (plaintext: Uint8Array, name: string) => Buffer = (plaintext, name) =>
  box(dek.plaintext, none, plaintext, name);

/** `binary/envelope-kms` as the guide writes it: without `kms-key`. */
export const caseEnvelope = build(
  'envelope',
  (plaintext, name) =>
    payload({ encoding: 'binary/envelope-kms', 'encrypted-dek': dek.wrapped }, encrypted(plaintext, name)),
  [unwraps(KEY, none, dek)],
);

/** `binary/gcp-kms`: Cloud KMS's ciphertext of the payload. */
const directCiphertext = dataKey('direct', 180).wrapped;
export const directAnswer = (cryptoKey = KEY, plaintext: Uint8Array = serialized(secret)) =>
  unwraps(cryptoKey, none, { wrapped: directCiphertext, plaintext: Buffer.from(plaintext) });
export const caseDirect = build(
  'direct',
  () => payload({ encoding: 'binary/gcp-kms', 'kms-key': KEY }, directCiphertext),
  [directAnswer()],
);

export const caseProxy = build(
  'proxy',
  (plaintext, name) =>
    payload(
      {
        encoding: 'binary/encrypted',
        'encryption-key-id': `gcpkms://${KEY}`,
        'encryption-dek': dek.wrapped.toString('base64'),
      },
      encrypted(plaintext, name),
    ),
  [unwraps(KEY, none, dek)],
);

/** Its serialization has 32 bytes, so its ciphertext as a direct message could be an envelope's wrapped data key. */
export const payloadOf32 = payload({ encoding: 'json/plain' }, '"PAID"');

/** A direct message's ciphertext, whose plaintext an attacker knows, in place of a data key. */
export const directAsKey = (known: Uint8Array = serialized(payloadOf32)) => ({
  kms: [unwraps(KEY, none, { wrapped: dek.wrapped, plaintext: Buffer.from(known) })],
  stored: (message: Payload): Payload => ({
    ...message,
    data: box(known, none, serialized(payload({ encoding: 'json/plain' }, '"forged"')), 'forged'),
  }),
});

export const STATIC_ID = 'test-key-id';
/** The static key of the samples. */
export const staticSecret = dek.plaintext;
export const staticRule: VectorRule = { static: { [STATIC_ID]: staticSecret.toString('hex') } };
export const caseStatic = build(
  'static',
  (plaintext, name) =>
    payload({ encoding: 'binary/encrypted', 'encryption-key-id': STATIC_ID }, encrypted(plaintext, name)),
  [],
);

export const unwrapsUnder = (name: string) => unwraps(key(name), none, dek);

export function refusesUnder(name: string) {
  const { plaintext: _, ...answer } = unwrapsUnder(name);
  return { ...answer, status: 'PERMISSION_DENIED' };
}

/** Returns the message with other metadata. An undefined value removes an entry. */
export const withMetadata =
  (change: Record<string, string | Uint8Array | undefined>) =>
  (message: Payload): Payload => {
    const entries = Object.entries({ ...message.metadata, ...change });
    const kept = entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
    return payload(Object.fromEntries(kept), message.data ?? none);
  };

export const withData =
  (change: (data: Buffer) => Uint8Array) =>
  (message: Payload): Payload => ({ ...message, data: change(Buffer.from(message.data ?? none)) });
