import { plaintextFailures } from '@temporal-kms/histories/failures';
import { findPayloads, type Payload, type PayloadLocation } from '@temporal-kms/histories/payloads';
import { KmsCodecError, messageKey, type ReasonCode } from '@temporal-kms/kms-codec';
import { hidesReference, parseStorageReference, type StorageReference } from '@temporal-kms/payload-storage';
import { isOwnPayload } from './own-runs.ts';

/**
 * A property that payloads of several histories may share: the key that they need, or a finding. The text of a trait is
 * the trait as JSON, so equal traits have equal texts.
 */
export type Trait =
  | {
      readonly is: 'message';
      readonly format: string;
      readonly key?: string;
      readonly keyId?: string;
      readonly version?: number;
      readonly staticKey?: string;
    }
  | { readonly is: 'plaintext' | 'failure_in_plaintext' | 'malformed' }
  | { readonly is: 'external_storage' | 'inner_layer' | 'unreadable' | 'not_walked' }
  | ReferenceTrait
  | {
      readonly is: 'unread_object';
      readonly object: string;
      readonly reason: ReasonCode;
      readonly message: string;
    };

/**
 * A reference to an object in external storage. The object's size is a string, because JSON numbers cannot represent
 * large integers exactly.
 */
export interface ReferenceTrait extends Omit<StorageReference, 'sizeBytes'> {
  readonly is: 'reference';
  readonly size?: string;
}

/** The part of a history that a scan keeps: counts, but no payload content. */
export interface HistorySummary {
  readonly payloads: number;
  /** The number of payloads or failures with each trait, by the trait's text. */
  readonly traits: ReadonlyMap<string, number>;
}

/** Parses the text of a trait. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this file writes these texts
export const parseTrait = (text: string): Trait => JSON.parse(text) as Trait;

/** Returns the summary of a single payload that is not part of a history, such as an object in external storage. */
export function summaryOfPayload(payload: Payload): HistorySummary {
  const builder = new SummaryBuilder();
  builder.addPayload({ payload, encryptable: true });
  return builder.build();
}

/**
 * Matches the ids of static keys that a report may contain. A program that writes payloads can write any text in place
 * of an id.
 */
const STATIC_KEY_ID = /^[\w.:-]{1,128}$/;

/** Counts the payloads of a history by their traits. */
export class SummaryBuilder {
  readonly #isOwnRun: boolean;
  #payloads = 0;
  readonly #traits = new Map<string, number>();

  /** @param isOwnRun whether the history belongs to a scan's own workflow, where marked payloads do not count */
  constructor({ isOwnRun = false }: { readonly isOwnRun?: boolean } = {}) {
    this.#isOwnRun = isOwnRun;
  }

  /**
   * Counts the payloads and failures of a message.
   *
   * @param locations the message's payloads, if the caller has already found them
   */
  add(
    typeName: string,
    message: object,
    locations: readonly PayloadLocation[] = findPayloads(typeName, message),
  ): void {
    for (const location of locations) this.addPayload(location);
    const failures = plaintextFailures(message);
    if (failures > 0) this.#count({ is: 'failure_in_plaintext' }, failures);
  }

  addPayload({ payload, encryptable }: Pick<PayloadLocation, 'payload' | 'encryptable'>): void {
    if (isSystemEnvelope(payload)) return this.#count({ is: 'not_walked' });
    if (hidesReference(payload)) this.#count({ is: 'external_storage' });
    const { format, problem, empty, key, keyId, keyVersion, staticKey } = messageKey(payload);
    // SDKs do not encrypt the fields that are not `encryptable`, so plaintext in these fields is correct.
    const isOwn = this.#isOwnRun && isOwnPayload(payload);
    if (empty || (format === 'plain' && (!encryptable || isOwn))) return;
    this.#payloads += 1;
    if (format === 'external') return this.#count(referenceTrait(payload));
    if (problem === 'malformed') return this.#count({ is: 'malformed' });
    if (problem === 'unsupported_version') return this.#count({ is: 'unreadable' });
    if (problem === 'layer_unreadable') return this.#count({ is: 'inner_layer' });
    if (format === 'plain') return this.#count({ is: 'plaintext' });
    this.#count({
      is: 'message',
      format,
      ...(key === undefined ? {} : { key }),
      ...(keyId === undefined ? {} : { keyId }),
      ...(keyVersion === undefined ? {} : { version: keyVersion }),
      ...(staticKey === undefined || !STATIC_KEY_ID.test(staticKey) ? {} : { staticKey }),
    });
    // Other programs wrote messages in these formats, and may have encrypted this library's messages a second time.
    if (format === 'proxy' || format === 'static') this.#count({ is: 'inner_layer' });
  }

  #count(trait: Trait, count = 1): void {
    // Escapes U+2028 and U+2029, which names may contain, because Node's line reader ends lines at these characters.
    const text = JSON.stringify(trait).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
    this.#traits.set(text, (this.#traits.get(text) ?? 0) + count);
  }

  build(): HistorySummary {
    return { payloads: this.#payloads, traits: this.#traits };
  }
}

/** Returns the trait of a reference. A scan cannot follow a reference whose driver is unknown. */
function referenceTrait(payload: Payload): Trait {
  try {
    const { driverName, type, bucket, object, sha256, sizeBytes } = parseStorageReference(payload);
    const size = sizeBytes === undefined ? {} : { size: String(sizeBytes) };
    return { is: 'reference', driverName, type, bucket, object, sha256, ...size };
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    return { is: 'external_storage' };
  }
}

/**
 * Whether the payload is an envelope for Temporal's own Nexus endpoint. The envelope's payloads are inside a serialized
 * request, which a scan does not parse.
 */
const isSystemEnvelope = ({ metadata }: Payload): boolean =>
  metadata?.['__temporal_system_payload'] !== undefined;
