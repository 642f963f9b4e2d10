import { countReason, type KeyUse, type ReasonCode, type ReasonCounts } from '@temporal-kms/codec-api';
import {
  keyOf,
  otherNamespace,
  type Payload,
  type StoredPayload,
  unreadableReason,
} from '@temporal-kms/histories/payloads';
import { type CallOptions, type CodecContext, type KmsCodec, KmsCodecError } from '@temporal-kms/kms-codec';
import {
  isStorageReference,
  type ObjectStorage,
  parseStorageReference,
  type StoredObject,
} from '@temporal-kms/payload-storage';
import { CliError } from '../cli/cli-error.ts';
import type { FileAudit } from './file-audit.ts';

export type Decrypted =
  | { readonly ok: true; readonly payload: Payload }
  | {
      readonly ok: false;
      readonly reason: ReasonCode;
      readonly key?: KeyUse;
      /** The message's namespace, if it differs from the namespace of the input. */
      readonly namespace?: string;
    };

/** A payload, and the workflow for which it was encrypted, if known. */
export type PayloadToDecrypt = Pick<StoredPayload, 'payload' | 'encryptable'> & {
  /** The workflow's id; if absent or empty, messages bound to any workflow are accepted. */
  readonly workflowId?: string | undefined;
};

/** The number of payloads in a file, and the number of payloads that could not be decrypted. */
export interface DecryptCounts {
  readonly payloads: number;
  readonly unreadable: ReasonCounts;
}

interface DecryptorOptions {
  readonly namespace: string;
  readonly audit: FileAudit;
  readonly budget: CallOptions['budget'];
  /** External storage; if undefined, references to external storage are returned unchanged. */
  readonly storage: ObjectStorage | undefined;
}

/**
 * Decrypts payloads of one namespace, one payload at a time, and counts them for the audit and the summary.
 */
export class Decryptor {
  readonly #codec: KmsCodec;
  readonly #namespace: string;
  readonly #audit: FileAudit;
  readonly #budget: CallOptions['budget'];
  readonly #storage: ObjectStorage | undefined;
  #payloads = 0;
  readonly #unreadable: ReasonCounts = {};

  constructor(codec: KmsCodec, { namespace, audit, budget, storage }: DecryptorOptions) {
    this.#codec = codec;
    this.#namespace = namespace;
    this.#audit = audit;
    this.#budget = budget;
    this.#storage = storage;
  }

  counts(): DecryptCounts {
    return { payloads: this.#payloads, unreadable: this.#unreadable };
  }

  /**
   * Decrypts one payload, with all its layers.
   * @throws CliError if Cloud KMS does not answer, or if the audit cannot be written
   */
  async decrypt(stored: PayloadToDecrypt): Promise<Decrypted> {
    const result = await this.#decrypt(stored);
    this.#payloads += 1;
    if (!result.ok) countReason(this.#unreadable, result.reason);
    return result;
  }

  /** Decrypts a payload or, for a reference to external storage, the payload in the object. */
  async #decrypt(stored: PayloadToDecrypt): Promise<Decrypted> {
    const exported = unreadableReason(stored.payload);
    if (exported !== undefined) {
      const { reason, ...named } = exported;
      return this.#refused({ ok: false, reason, ...keyOf(named) });
    }
    if (this.#follows(stored.payload)) return await this.#retrieve(stored.payload, stored);
    const result = await this.#decryptStored(stored);
    // A proxy encrypts the references that workers write.
    return result.ok && this.#follows(result.payload) ? await this.#retrieve(result.payload, stored) : result;
  }

  /**
   * Whether to read the object to which a payload refers; false if there is no storage, or if the reference's driver is
   * not configured.
   */
  #follows(payload: Payload): boolean {
    if (this.#storage === undefined || !isStorageReference(payload)) return false;
    try {
      return this.#locate(payload) !== undefined;
    } catch (error) {
      return !(error instanceof KmsCodecError && error.code === 'external_reference');
    }
  }

  #locate = (reference: Payload): StoredObject | undefined =>
    this.#storage?.locate(this.#namespace, parseStorageReference(reference));

  /** Reads the object to which a reference points, and decrypts the object's payload as if the history contained it. */
  async #retrieve(reference: Payload, stored: PayloadToDecrypt): Promise<Decrypted> {
    const { signal } = new AbortController();
    let payload: Payload | undefined;
    try {
      const object = this.#locate(reference);
      if (object !== undefined) {
        await this.#audit.object(object);
        payload = await this.#storage?.read(object, { signal });
      }
    } catch (error) {
      return this.#failed(error);
    }
    const result = await this.#decryptStored({ ...stored, payload: payload ?? reference });
    if (!result.ok) return result;
    try {
      if (isStorageReference(result.payload))
        throw new KmsCodecError('malformed', 'The object contains another reference to external storage');
      // Counts the bytes of an unencrypted object here, because the codec counts only the bytes that it decrypts.
      if (result.payload === payload) await this.#budget?.reserve(payload.data?.length ?? 0);
      return result;
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #decryptStored({ payload, encryptable, workflowId }: PayloadToDecrypt): Promise<Decrypted> {
    const namespace = this.#namespace;
    const context: CodecContext = { namespace, ...(workflowId && { type: 'workflow', workflowId }) };
    const info = this.#codec.inspect(payload, context);
    // SDKs never encrypt the fields that are not `encryptable`, so plaintext in these fields is not a mistake.
    if (!encryptable && info.format === 'plain' && info.compressed === undefined)
      return { ok: true, payload };
    try {
      const decrypted = await this.#codec.decrypt(payload, context, {
        budget: this.#budget,
        authorizeNamespace: (other) => this.#audit.intentFor(other),
        onInnerLayer: (layer) => this.#audit.done(keyOf(layer).key, layer.namespace),
      });
      const { key } = keyOf(decrypted.info);
      if (decrypted.info.format !== 'plain' && decrypted.info.format !== 'external')
        this.#audit.done(key, decrypted.info.namespace);
      return { ok: true, payload: decrypted.payload };
    } catch (error) {
      return this.#failed(error, otherNamespace(info, { namespace }));
    }
  }

  /**
   * Returns the result for a payload that could not be decrypted.
   * @throws CliError if the problem is temporary
   * @throws the given error if it is not a KmsCodecError
   */
  #failed(error: unknown, other: ReturnType<typeof otherNamespace> = {}): Decrypted {
    if (!(error instanceof KmsCodecError)) throw error;
    if (error.retryable)
      throw new CliError(
        'unavailable',
        `${error.message} (${error.code}); no part of this input or history was written`,
        [],
        error,
      );
    return this.#refused({ ok: false, reason: error.code, ...keyOf(error), ...other });
  }

  #refused(result: Extract<Decrypted, { ok: false }>): Decrypted {
    this.#audit.refused(result.reason, result.key, result.namespace);
    return result;
  }
}
