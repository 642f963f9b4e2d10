import { countReason, type KeyUse, type ReasonCode, type ReasonCounts } from '@temporal-kms/codec-api';
import {
  keyOf,
  otherNamespace,
  type Payload,
  type StoredPayload,
  unreadableReason,
} from '@temporal-kms/histories/payloads';
import { type CallOptions, type CodecContext, type KmsCodec, KmsCodecError } from '@temporal-kms/kms-codec';
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

/** A payload, and the workflow that it was encrypted for, if known. */
export type PayloadToDecrypt = Pick<StoredPayload, 'payload' | 'encryptable'> & {
  /** Absent or empty: messages are accepted whichever workflow they are bound to. */
  readonly workflowId?: string | undefined;
};

/** The number of payloads of a file, and of those that could not be decrypted. */
export interface DecryptCounts {
  readonly payloads: number;
  readonly unreadable: ReasonCounts;
}

/** Decrypts payloads of one namespace, one at a time, and counts them for the audit and the summary. */
export class Decryptor {
  readonly #codec: KmsCodec;
  readonly #namespace: string;
  readonly #audit: FileAudit;
  readonly #budget: CallOptions['budget'];
  #payloads = 0;
  readonly #unreadable: ReasonCounts = {};

  constructor(
    codec: KmsCodec,
    { namespace, audit, budget }: { namespace: string; audit: FileAudit; budget: CallOptions['budget'] },
  ) {
    this.#codec = codec;
    this.#namespace = namespace;
    this.#audit = audit;
    this.#budget = budget;
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

  async #decrypt({ payload, encryptable, workflowId }: PayloadToDecrypt): Promise<Decrypted> {
    const namespace = this.#namespace;
    const context: CodecContext = { namespace, ...(workflowId && { type: 'workflow', workflowId }) };
    const exported = unreadableReason(payload);
    if (exported !== undefined) {
      const { reason, ...named } = exported;
      return this.#refused({ ok: false, reason, ...keyOf(named) });
    }
    const info = this.#codec.inspect(payload, context);
    // SDKs never encrypt these fields, so plaintext in them is not a mistake.
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
      if (!(error instanceof KmsCodecError)) throw error;
      if (error.retryable)
        throw new CliError(
          'unavailable',
          `${error.message} (${error.code}); nothing of this input or history was written`,
          [],
          error,
        );
      return this.#refused({
        ok: false,
        reason: error.code,
        ...keyOf(error),
        ...otherNamespace(info, { namespace }),
      });
    }
  }

  #refused(result: Extract<Decrypted, { ok: false }>): Decrypted {
    this.#audit.refused(result.reason, result.key, result.namespace);
    return result;
  }
}
