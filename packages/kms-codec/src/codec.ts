import type { PayloadCodec } from '@temporalio/common';
import type { WorkerAttempts } from './attempts.ts';
import { CallBudget, type CallOptions } from './call-options.ts';
import { CallWaits } from './call-waits.ts';
import type { CodecContext, KmsCodecOptions } from './codec-options.ts';
import { requireZstd } from './compression/zstd.ts';
import { boundWorkflowId } from './crypto/tags.ts';
import { KmsCodecError } from './errors.ts';
import { checkPayload, checkPayloads, isUsualObject } from './formats/check-payload.ts';
import { type Encrypted, keyNotListed } from './formats/format.ts';
import {
  type DecryptedPayload,
  type EncodedWithInfo,
  infoOf,
  type PayloadInfo,
  parsePayload,
  unparsedPayload,
} from './formats/formats.ts';
import { areOfFailure, failurePlaceholder, withoutMark } from './formats/failure-placeholder.ts';
import { checkReadable } from './formats/layers.ts';
import type { Payload } from './formats/payload.ts';
import { external } from './formats/plain.ts';
import { type Call, type Scope, Scopes } from './formats/scope.ts';
import { clocksOf, systemClocks } from './keys/clock.ts';
import { DataKeys } from './keys/data-keys.ts';
import type { KeyRules } from './keys/key-rules.ts';
import type { KeyService } from './keys/key-service.ts';
import { type KeyState, keyStateOf } from './keys/key-state.ts';
import { resolveLimits } from './keys/limits.ts';
import { mapInOrder, type MaybePromise } from './maybe-promise.ts';
import type { Observer } from './observer.ts';
import { PayloadCipher } from './payload-cipher.ts';
import { DecodePlan } from './plan.ts';

const MiB = 2 ** 20;
const MAINTAIN_EVERY_MS = 15_000;
const noOptions: CallOptions = {};

/**
 * A Temporal PayloadCodec with keys in Google Cloud KMS. `encode` encrypts every payload except references to
 * external storage. `decode` decrypts the payloads that the namespace's rule allows. `decode` returns other
 * payloads unchanged, or refuses them if the rule says so. Both methods throw only {@link KmsCodecError}, or
 * the reason of the caller's `AbortSignal`.
 */
export class KmsCodec implements PayloadCodec {
  readonly keyService: KeyService;
  readonly #options: KmsCodecOptions;
  readonly #observer: Observer;
  readonly #keys: DataKeys;
  readonly #waits: CallWaits;
  readonly #cipher: PayloadCipher;
  readonly #maxDecompressed: number;
  readonly #maxCall: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #scopes: Scopes;
  /** The activity attempts of the worker that uses this codec. */
  readonly attempts: WorkerAttempts | undefined;

  constructor(options: KmsCodecOptions);
  /** @internal @param shared the data keys of another codec (see {@link forNamespace}) */
  constructor(options: KmsCodecOptions, shared: DataKeys, attempts?: WorkerAttempts);
  constructor(options: KmsCodecOptions, shared?: DataKeys, attempts?: WorkerAttempts) {
    this.attempts = attempts;
    if (options.compression === 'zstd') requireZstd('unsupported_version');
    this.#options = options;
    this.#observer = options.observer ?? {};
    this.keyService = options.keyService;
    this.#cipher = new PayloadCipher(options);
    const { format } = this.#cipher;
    this.#scopes = new Scopes(options, (namespace, key) => format.dataKeyScope?.(namespace, key));
    this.#maxDecompressed = options.maxDecompressedBytes ?? 16 * MiB;
    this.#maxCall = options.maxCallBytes ?? 128 * MiB;
    const common = {
      keyService: this.keyService,
      limits: resolveLimits(options.limits),
      observer: this.#observer,
      denies: (wrapped: Uint8Array) => options.rules.denies(wrapped),
    };
    const clocks = options.now ? clocksOf(options.now) : systemClocks;
    const keys = shared ?? new DataKeys(common, clocks, options.branchKeyStore);
    this.#keys = keys;
    this.#waits = new CallWaits(options, keys.calls, attempts);
    if (!shared) this.#timer = setInterval(() => keys.maintain(), MAINTAIN_EVERY_MS).unref();
  }

  get rules(): KeyRules {
    return this.#options.rules;
  }

  /** Returns a codec with the same keys and caches, whose calls without a context use another namespace. */
  forNamespace(namespace: string): KmsCodec {
    return new KmsCodec({ ...this.#options, namespace }, this.#keys, this.attempts);
  }

  /** Returns a codec with the same keys and caches, for a worker with these activity attempts. */
  forWorker(attempts: WorkerAttempts): KmsCodec {
    return new KmsCodec(this.#options, this.#keys, attempts);
  }

  /** Returns a codec with the same keys and caches, for use with {@link KmsCodecOptions.innerCodecs}. */
  beforeOthers(): KmsCodec {
    return new KmsCodec({ ...this.#options, innerCodecs: true }, this.#keys, this.attempts);
  }

  /**
   * Returns a codec with the same keys and caches, for replay workers (see {@link
   * KmsCodecOptions.ignoreContext}).
   */
  forReplay(): KmsCodec {
    return new KmsCodec({ ...this.#options, ignoreContext: true }, this.#keys, this.attempts);
  }

  /**
   * Encrypts payloads and returns them in the same order. References to external storage pass unchanged.
   * Makes no Cloud KMS call while a data key is available.
   *
   * A failure's message and details, which this package's failure converter marks, never cause an error,
   * because an error would end Temporal's worker. If the message and details cannot be encrypted, they are
   * lost: a constant payload replaces them.
   *
   * @throws KmsCodecError `namespace_not_configured`, `key_not_allowed` (the rule only decrypts),
   *   `too_large`, `data_key_exhausted`, or a code that says why Cloud KMS did not wrap a key
   */
  async encode(payloads: Payload[], context?: CodecContext, options?: CallOptions): Promise<Payload[]> {
    checkPayloads(payloads);
    if (payloads.length === 0) return payloads;
    const known = options === undefined ? this.#encryptKnown(payloads, context) : undefined;
    if (known) return [known];
    if (areOfFailure(payloads)) return await this.#encodeFailure(payloads, context, options);
    return await this.#encryptAll(payloads, context, options, ({ payload }) => payload);
  }

  /**
   * Encrypts a call's only payload if `PayloadCipher.encryptKnown` can encrypt it; otherwise returns
   * undefined.
   */
  #encryptKnown(payloads: readonly Payload[], context: CodecContext | undefined): Payload | undefined {
    const [payload] = payloads;
    if (payloads.length !== 1 || !payload || this.#options.bindWorkflow) return undefined;
    const scope = this.#scopes.last('encrypt', context);
    return scope && this.#cipher.encryptKnown(payload, scope, this.#keys, this.#maxCall);
  }

  async #encodeFailure(
    payloads: Payload[],
    context: CodecContext | undefined,
    options: CallOptions | undefined,
  ): Promise<Payload[]> {
    try {
      return await this.#encryptAll(payloads.map(withoutMark), context, options, ({ payload }) => payload);
    } catch (error) {
      if (!(error instanceof KmsCodecError)) throw error;
      this.#observer.failureReplaced?.({
        namespace: context?.namespace ?? this.#options.namespace ?? 'default',
        code: error.code,
      });
      return payloads.map(failurePlaceholder);
    }
  }

  /** Like {@link encode}, but also returns what `inspect` would return for each result. */
  async encodeWithInfo(
    payloads: Payload[],
    context?: CodecContext,
    options?: CallOptions,
  ): Promise<EncodedWithInfo> {
    checkPayloads(payloads);
    const results = await this.#encryptAll(payloads, context, options, ({ payload, message }, given) => ({
      payload,
      info: infoOf({ payload, message, format: payload === given ? external : this.#cipher.format }),
    }));
    return { payloads: results.map(({ payload }) => payload), infos: results.map(({ info }) => info) };
  }

  /**
   * Decrypts payloads with all their layers, and returns them in the same order. Payloads that the codec did
   * not encrypt pass unchanged, unless the namespace's rule refuses them. Refuses a payload whose decrypted
   * content is still encrypted or compressed, unless other codecs decode after this codec (`innerCodecs`).
   * @throws KmsCodecError for the first payload that cannot be decrypted
   */
  async decode(payloads: Payload[], context?: CodecContext, options?: CallOptions): Promise<Payload[]> {
    // Looks up the attempt even if there are no payloads, so that the context is known when the same
    // activity's next payloads are decoded.
    const attempt = this.attempts?.of(context);
    const known = options === undefined ? this.#decryptKnown(payloads, context) : undefined;
    if (known) return [known];
    checkPayloads(payloads);
    if (payloads.length === 0) return payloads;
    const scope = this.#scopes.toDecrypt(context);
    const waitBudget = this.#waits.ofDecode(context, options, attempt);
    const call = this.#call(scope, context, options, waitBudget);
    const decrypted = this.#each(payloads, call, (payload) =>
      this.#cipher.decrypt(parsePayload(payload, scope), call),
    );
    return decrypted instanceof Promise ? await decrypted : decrypted;
  }

  /**
   * Decrypts a call's only payload if `PayloadCipher.decryptKnown` can decrypt it; otherwise returns
   * undefined.
   */
  #decryptKnown(payloads: readonly Payload[], context: CodecContext | undefined): Payload | undefined {
    if (!Array.isArray(payloads) || payloads.length !== 1 || !isUsualObject(payloads[0])) return undefined;
    const scope = this.#scopes.last('decrypt', context);
    return scope && this.#cipher.decryptKnown(payloads[0], scope, this.#keys, this.#maxCall);
  }

  /**
   * Parses payloads, without a Cloud KMS call. The returned plan contains what `inspect` returns for each
   * payload, and the number of Cloud KMS calls that decryption takes. The plan can decrypt the payloads
   * without parsing them again.
   * @throws KmsCodecError `malformed` if the input is not a list of payloads. The plan contains all other
   *   errors
   */
  plan(payloads: readonly Payload[], context?: CodecContext): DecodePlan {
    checkPayloads(payloads);
    let scope: Scope;
    try {
      scope = this.#scopes.toDecrypt(context);
    } catch (error) {
      if (!(error instanceof KmsCodecError)) throw error;
      const parsed = payloads.map((payload) => unparsedPayload(payload, error));
      return new DecodePlan(parsed, this.#keys, () => Promise.reject(error.clone()));
    }
    const parsed = payloads.map((payload) => parsePayload(payload, scope));
    return new DecodePlan(parsed, this.#keys, async (some, options) => {
      const call = this.#call(scope, context, options);
      return await this.#each(some, call, (one) => this.#cipher.decrypt(one, call));
    });
  }

  /**
   * Decrypts one payload, and also returns what `inspect` returns for it. Unlike `decode`, never returns a
   * payload that is still encrypted or compressed. For such a payload, throws `key_not_allowed` if the
   * payload names a key that is not configured, and `layer_unreadable` otherwise. If the rule reports
   * plaintext, `info.reason` is `not_encrypted` for a plaintext payload.
   */
  async decrypt(payload: Payload, context?: CodecContext, options?: CallOptions): Promise<DecryptedPayload> {
    checkPayload(payload);
    const scope = this.#scopes.toDecrypt(context);
    const parsed = parsePayload(payload, scope);
    const info = infoOf(parsed);
    if (parsed.error === undefined && info.format !== 'plain' && info.reason === 'key_not_allowed')
      throw keyNotListed(scope.rule.namespace);
    checkReadable(parsed);
    const call: Call = { ...this.#call(scope, context, options), onUnreadableLayer: 'refuse' };
    const [decrypted = payload] = await this.#each([parsed], call, (one) => this.#cipher.decrypt(one, call));
    return { payload: decrypted, info };
  }

  /**
   * Returns a payload's format and keys and, if that is already known, why the payload cannot be decrypted.
   * Makes no Cloud KMS call.
   */
  inspect(payload: Payload, context?: CodecContext): PayloadInfo {
    let isPayload = false;
    try {
      checkPayload(payload);
      isPayload = true;
      return infoOf(parsePayload(payload, this.#scopes.toDecrypt(context)));
    } catch (error) {
      if (!(error instanceof KmsCodecError)) throw error;
      return infoOf(unparsedPayload(isPayload ? payload : {}, error));
    }
  }

  /**
   * Obtains a namespace's first branch key or data key from Cloud KMS in advance, so that the first message
   * does not wait for Cloud KMS. Does nothing if the rule only decrypts or the format has no such keys.
   */
  async warm(namespace?: string): Promise<void> {
    const context = namespace === undefined ? undefined : { namespace };
    const scope = this.#scopes.toEncrypt(context);
    if (!scope.dataKeyScope) return;
    await this.#keys.encryption.warm(scope.dataKeyScope, this.#call(scope, context).waitBudget);
  }

  /**
   * Returns how long this process could keep working in a namespace if Cloud KMS stopped responding now, and
   * whether Cloud KMS responds. Makes no call.
   *
   * @example
   * const { autonomySeconds, failure } = codec.keyState('payments');
   * if (failure !== undefined) log.warn(`Cloud KMS: ${failure}; keys last for ${autonomySeconds} s`);
   */
  keyState(namespace?: string): KeyState {
    const { dataKeyScope, rule } = this.#scopes.toEncrypt(
      namespace === undefined ? undefined : { namespace },
    );
    return keyStateOf(this.#keys, rule, dataKeyScope);
  }

  /** Number of this process's calls, in all namespaces, that are now waiting for Cloud KMS. */
  get callsWaiting(): number {
    return this.#keys.calls.waiting;
  }

  /** Refreshes and revalidates the keys that are due. A timer calls this method every 15 s. */
  maintain(): void {
    this.#keys.maintain();
  }

  /** Removes all keys from memory and closes the connection to Cloud KMS. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#keys.close();
    await this.keyService.close();
  }

  #call(
    scope: Scope,
    context: CodecContext | undefined,
    options: CallOptions = noOptions,
    waitBudget = this.#waits.of(context, options),
  ): Call {
    const { innerCodecs } = this.#options;
    return {
      scope,
      keys: this.#keys,
      waitBudget,
      budget: options.budget ?? new CallBudget(this.#maxCall),
      maxDecompressedBytes: this.#maxDecompressed,
      onUnreadableLayer: innerCodecs ? 'pass' : 'refuse',
      options,
    };
  }

  /** Maps payloads in order. If one payload fails, the call stops waiting for the other payloads. */
  #each<T, R>(items: readonly T[], call: Call, map: (item: T) => MaybePromise<R>): MaybePromise<R[]> {
    let results: MaybePromise<R[]>;
    try {
      results = mapInOrder(items, map);
    } catch (error) {
      throw this.#failed(error, call);
    }
    if (!(results instanceof Promise)) return results;
    return results.catch((error: unknown) => {
      throw this.#failed(error, call);
    });
  }

  #failed(error: unknown, { scope, waitBudget }: Call): unknown {
    waitBudget.fail();
    if (!(error instanceof KmsCodecError)) return error;
    if (waitBudget.isAborted) return waitBudget.reason;
    const { code, key, message } = error;
    this.#observer.refused?.({ namespace: scope.rule.namespace, code, key, message });
    return error.clone();
  }

  /** Encrypts checked payloads in order, and returns the result of `of` for each payload. */
  #encryptAll<R>(
    payloads: readonly Payload[],
    context: CodecContext | undefined,
    options: CallOptions | undefined,
    of: (encrypted: Encrypted, payload: Payload) => R,
  ): MaybePromise<R[]> {
    if (payloads.length === 0) return [];
    const call = this.#call(this.#scopes.toEncrypt(context), context, options);
    const isBound = this.#options.bindWorkflow || call.scope.rule.workflowTag === 'require';
    const workflowId = isBound ? boundWorkflowId(context) : undefined;
    return this.#each(payloads, call, (payload) => {
      const encrypted = this.#cipher.encrypt(payload, call, workflowId);
      return encrypted instanceof Promise
        ? encrypted.then((one) => of(one, payload))
        : of(encrypted, payload);
    });
  }
}
