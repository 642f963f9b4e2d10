import type { ReasonCode } from '../../../src/errors.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import { asVector, json, serialized } from './bytes.ts';
import {
  box,
  branchKey,
  branchKeyAad,
  derived,
  headerV2,
  type HeaderV2,
  key,
  namespaceTag,
  storedV2,
  type TestKey,
  unwraps,
} from './message.ts';
import type { Vector } from './vector.ts';

/** The configuration of most vectors: one namespace, one key, one payload. */
export const NAMESPACE = 'payments';
export const KEY = key('payments');
const keys = { namespaces: { [NAMESPACE]: { encrypt: KEY } } } as const;
export const secret: Payload = json({ card: '4242', cents: 1999 });

export interface CaseV2 extends Partial<Pick<Vector, 'keys' | 'codec' | 'kms' | 'asked'>> {
  readonly name: string;
  readonly why: string;
  /** Default: only the namespace. */
  readonly context?: Vector['context'] | 'none';
  readonly header?: Partial<HeaderV2>;
  /** Outer metadata in addition to `encoding`. */
  readonly metadata?: Record<string, string>;
  readonly branchKey?: TestKey;
  /** The data key, instead of that which is derived for the namespace and salt of the header. */
  readonly dataKey?: Uint8Array;
  readonly inner?: Payload;
  /** The plaintext, instead of the serialization of `inner`. */
  readonly plaintext?: Uint8Array;
  /** Changes the encrypted bytes before they are stored. */
  readonly tamper?: (data: Buffer, headerLength: number) => Uint8Array;
  readonly code?: ReasonCode;
}

/** Creates a `binary/envelope-kms-v2` message for payments under payments' key, with the changes of the case. */
export function caseV2(given: CaseV2): Vector {
  const branch = given.branchKey ?? branchKey(NAMESPACE);
  const inner = given.inner ?? secret;
  const namespace = given.header?.namespace ?? NAMESPACE;
  const cryptoKey = given.header?.cryptoKey ?? KEY;
  const header = headerV2({ cryptoKey, namespace, branch, ...given.header });
  const tag = namespaceTag(namespace);
  const dataKey = given.dataKey ?? derived(branch, tag, given.header?.salt);
  const encrypted = box(dataKey, header, given.plaintext ?? serialized(inner), given.name);
  const whole = Buffer.concat([header, encrypted]);
  const stored = storedV2(given.tamper?.(whole, header.length) ?? whole, given.metadata);
  const context = given.context ?? { namespace: NAMESPACE };
  const withoutKms = new Set<ReasonCode | undefined>([
    'unsupported_version',
    'namespace_mismatch',
    'workflow_mismatch',
    'key_not_allowed',
    'format_not_allowed',
    'namespace_not_configured',
  ]);
  return {
    name: given.name,
    why: given.why,
    format: 'envelope-v2',
    keys: given.keys ?? keys,
    ...(given.codec && { codec: given.codec }),
    ...(context !== 'none' && { context }),
    kms: given.kms ?? [unwraps(cryptoKey, branchKeyAad(tag), branch)],
    stored: asVector(stored),
    expect: given.code ? { code: given.code } : { payload: asVector(inner) },
    asked: given.asked ?? (withoutKms.has(given.code) ? [] : [cryptoKey]),
  };
}
