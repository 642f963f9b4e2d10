import type { KmsCodecOptions } from './codec-options.ts';
import { KmsCodecError } from './errors.ts';
import { noEncryptionKey, tryDecrypt } from './formats/aead-message.ts';
import { writable } from './formats/check-payload.ts';
import { encryptPlain, knownMessage } from './formats/envelope-v2.ts';
import { checkWritten, type Encrypted, type WritableWireFormat } from './formats/format.ts';
import { type ParsedPayload, writableFormats } from './formats/formats.ts';
import { decryptStored, isContent } from './formats/layers.ts';
import { fieldsOf, memoryOfFields, type Payload, withUsual } from './formats/payload.ts';
import { external, passReference } from './formats/plain.ts';
import type { Call, NamespaceScope } from './formats/scope.ts';
import type { DataKeys } from './keys/data-keys.ts';
import { andThen, type MaybePromise } from './maybe-promise.ts';
import type { Observer } from './observer.ts';

const MiB = 2 ** 20;

/**
 * Encrypts and decrypts individual payloads. Checks the size of the payload and the limits of the call, and
 * notifies the observer.
 */
export class PayloadCipher {
  /** The format that `encrypt` writes. */
  readonly format: WritableWireFormat;
  readonly #observer: Observer;
  readonly #compression: KmsCodecOptions['compression'];
  readonly #maxPayload: number;

  constructor(options: KmsCodecOptions) {
    this.format = writableFormats[options.format ?? 'envelope-v2'];
    this.#observer = options.observer ?? {};
    this.#compression = options.compression;
    this.#maxPayload = options.maxPayloadBytes ?? 64 * MiB;
  }

  /**
   * Encrypts a payload. Returns a reference to external storage unchanged, unless the rule refuses plaintext.
   * @param workflowId the workflow to which to bind the message; undefined to bind it to no workflow
   */
  encrypt(payload: Payload, call: Call, workflowId: string | undefined): MaybePromise<Encrypted> {
    const encoding = payload.metadata?.['encoding'];
    if (encoding?.length && external.claims(encoding, payload)) {
      const message = external.parse(payload, call.scope);
      return { payload: passReference(payload, call.scope), message };
    }
    const { namespace, encrypt: cryptoKey } = call.scope.rule;
    if (cryptoKey === undefined) throw noEncryptionKey(namespace);
    checkWritten(this.format.name, workflowId, call.scope);
    const bytes = payload.data?.length ?? 0;
    this.#checkSize(bytes);
    const exact = writable(payload);
    const options = { cryptoKey, compression: this.#compression, workflowId };
    const { format } = this;
    const reserved = call.budget.reserve(bytes);
    const encrypted =
      reserved instanceof Promise
        ? reserved.then(() => format.encrypt(exact, call, options))
        : format.encrypt(exact, call, options);
    if (!(encrypted instanceof Promise)) return this.#checkEncrypted(encrypted, exact, call);
    return encrypted.then((one) => this.#checkEncrypted(one, exact, call));
  }

  /**
   * Encrypts a payload that has only an encoding and little data, if a data key is available. Like
   * `decryptKnown`, this is a shortcut for most of a worker's payloads. Short code is important here, because
   * a worker's other work evicts code and data from the processor's caches.
   * @param maxBytes limit on the call's payloads
   * @returns undefined for all other payloads and for payloads that `encrypt` refuses
   */
  encryptKnown(
    payload: Payload,
    { rule, dataKeyScope }: NamespaceScope,
    { encryption }: DataKeys,
    maxBytes: number,
  ): Payload | undefined {
    const bytes = payload.data?.length ?? 0;
    const isUsual = this.format.name === 'envelope-v2' && this.#compression === undefined;
    const encoding = payload.metadata?.['encoding'];
    if (!isUsual || !dataKeyScope || rule.workflowTag || !encoding || external.claims(encoding, payload))
      return undefined;
    const encrypted = withUsual(payload, (piece) => {
      const key = encryption.take(dataKeyScope, bytes);
      return key && encryptPlain(key, piece);
    });
    if (!encrypted || (encrypted.data?.length ?? 0) > Math.min(this.#maxPayload, maxBytes)) return undefined;
    this.#observer.encrypted?.({ namespace: rule.namespace, format: 'envelope-v2', bytes });
    return encrypted;
  }

  /** Decrypts a payload with all its layers. Returns the same object if the payload passes unchanged. */
  decrypt(parsed: ParsedPayload, call: Call): MaybePromise<Payload> {
    const bytes = parsed.payload.data?.length ?? 0;
    this.#checkSize(bytes);
    const decrypted = decryptStored(parsed, call);
    if (decrypted instanceof Promise) {
      decrypted.then(
        () => this.#reportDecrypted(parsed, bytes, call),
        () => undefined,
      );
    } else if (decrypted !== parsed.payload || parsed.format.name === 'plain') {
      this.#reportDecrypted(parsed, bytes, call);
    }
    return decrypted;
  }

  /**
   * Decrypts a payload if the scope has accepted its header before, its key is cached, and its content has no
   * further layer.
   * @param maxBytes limit on the call's plaintext
   * @returns undefined for all other payloads and for payloads that `decrypt` refuses
   */
  decryptKnown(
    { metadata, data }: Payload,
    scope: NamespaceScope,
    { decryption }: DataKeys,
    maxBytes: number,
  ): Payload | undefined {
    if (!(data instanceof Uint8Array) || data.length > Math.min(this.#maxPayload, maxBytes)) return undefined;
    const message = knownMessage(metadata, data, scope);
    // Content with further layers needs `decrypt`, so decrypting the content here would be wasted work.
    const isUsual = message && !message.isCompressed && !message.hasLayers;
    const key = isUsual && decryption.confirmed(message.branchKey);
    const decrypted = key && tryDecrypt(key, data, message);
    if (!decrypted || !isContent(decrypted)) return undefined;
    const { namespace } = scope.rule;
    this.#observer.dataKeyLookup?.({ namespace, outcome: 'hit' });
    this.#observer.decrypted?.({ namespace, format: 'envelope-v2', bytes: data.length });
    return decrypted;
  }

  /**
   * Checks that `decode` would accept the encrypted payload. The whole message, the decompressed content, and
   * the memory for fields count towards the limit of `decode`.
   */
  #checkEncrypted(encrypted: Encrypted, plain: Payload, { budget, scope }: Call): MaybePromise<Encrypted> {
    const bytes = plain.data?.length ?? 0;
    const size = encrypted.payload.data?.length ?? 0;
    this.#checkSize(size);
    const added = this.#compression === undefined ? Math.max(size - bytes, 0) : size;
    return andThen(budget.reserve(added + memoryOfFields(fieldsOf(plain))), () => {
      this.#observer.encrypted?.({ namespace: scope.rule.namespace, format: this.format.name, bytes });
      return encrypted;
    });
  }

  #reportDecrypted({ format, message }: ParsedPayload, bytes: number, { scope }: Call): void {
    const { namespace } = scope.rule;
    if (format.name !== 'plain') this.#observer.decrypted?.({ namespace, format: format.name, bytes });
    else if (message.reason === 'not_encrypted') this.#observer.notEncrypted?.({ namespace });
  }

  #checkSize(bytes: number): void {
    if (bytes <= this.#maxPayload) return;
    throw new KmsCodecError('too_large', `The payload has ${bytes} bytes; the limit is ${this.#maxPayload}`);
  }
}
