import type { PayloadCodec } from '@temporalio/common';
import { LRUCache } from 'lru-cache';
import { CallBudget, type CallOptions } from './call-options.ts';
import { KmsCodecError } from './errors.ts';
import { compress } from './formats/compression.ts';
import { isCompressed } from './formats/compression-marker.ts';
import { DataKeys } from './formats/data-keys.ts';
import { sealDirect } from './formats/direct.ts';
import { formatOf } from './formats/encoding.ts';
import { purposeV1, sealV1 } from './formats/envelope.ts';
import { purposeV2, sealV2 } from './formats/envelope-v2.ts';
import { inspect, type PayloadInfo, storedAs } from './formats/inspect.ts';
import { checkReadable, decompressStored, openLayers, type Unreadable } from './formats/layers.ts';
import { isUnexpected } from './formats/open.ts';
import { countUnopened } from './formats/unopened.ts';
import { acceptedBy, type NamespaceScope, type Scope } from './formats/scope.ts';
import type { KeyRules } from './keys/key-rules.ts';
import type { KeyService } from './keys/key-service.ts';
import { type DataKeyLimits, resolveLimits } from './keys/limits.ts';
import { WaitBudget } from './keys/wait-budget.ts';
import type { SealingKey, SealingPurpose } from './keys/sealing-keys.ts';
import { andThen, type MaybePromise } from './maybe-promise.ts';
import type { Observer } from './observer.ts';
import { checkContext, checkPayload, checkPayloads, withExactSizes } from './wire/check-payload.ts';
import { type Payload, withSerialized } from './wire/inner-payload.ts';

/** Where a payload is encoded or decoded. Temporal's SerializationContext is one. */
export interface CodecContext {
  readonly type?: 'workflow' | 'activity';
  readonly namespace?: string | undefined;
  readonly workflowId?: string | undefined;
}

/** The formats that may be written. */
export type WritableFormat = 'envelope-v2' | 'envelope' | 'direct';

/** What a codec is made of. `loadKmsCodec` fills it from the environment. */
export interface KmsCodecOptions {
  /** Which keys belong to which namespace. */
  readonly rules: KeyRules;
  readonly keyService: KeyService;
  /**
   * The namespace where a call has no context. When it is given, messages of it are also read in another namespace's
   * context; without it `default` stands in, and a context's namespace alone counts.
   */
  readonly namespace?: string | undefined;
  /** Default `envelope-v2`. */
  readonly format?: WritableFormat | undefined;
  /** Default none: the size of compressed ciphertext tells something about its content. */
  readonly compression?: 'zstd' | undefined;
  /** Bind messages to their workflow as well. Not where Nexus results are read: they open in the caller's context. */
  readonly bindWorkflow?: boolean | undefined;
  /** For replay workers, whose contexts name no real namespace or workflow: `namespace` alone counts. */
  readonly ignoreContext?: boolean | undefined;
  /**
   * Other codecs decode after this one: `decode` then gives them an inner payload that this codec does not read, instead
   * of refusing it with `layer_unreadable`. The plugin sets it where there are such codecs. Default false.
   */
  readonly innerCodecs?: boolean | undefined;
  readonly limits?: Partial<DataKeyLimits> | undefined;
  /** Most bytes of one payload, both ways. Default 64 MiB; external storage takes what Temporal itself won't. */
  readonly maxPayloadBytes?: number | undefined;
  /** Most bytes that a compressed payload may hold. Default 16 MiB. */
  readonly maxDecompressedBytes?: number | undefined;
  /** Most bytes of plaintext in one call, all its payloads together, both ways. Default 128 MiB. */
  readonly maxCallBytes?: number | undefined;
  /** How long Cloud KMS is waited for, in ms. Defaults 60,000 in an activity's context, 5,000 elsewhere. */
  readonly waitMs?: { readonly activity?: number; readonly other?: number } | undefined;
  readonly observer?: Observer | undefined;
  /** Milliseconds since any fixed time. For tests. */
  readonly now?: (() => number) | undefined;
}

/** A payload and how it had been kept. */
export interface Opened {
  readonly payload: Payload;
  readonly info: PayloadInfo;
}

const MiB = 2 ** 20;
const MAINTAIN_EVERY_MS = 15_000;

/**
 * Temporal's PayloadCodec over Cloud KMS. Encode seals every payload but external-storage references; decode opens
 * what its namespace's rule allows and passes the rest through, or refuses it where the rule says so. Both throw
 * {@link KmsCodecError} only, or their caller's own reason once that has left: Cloud KMS isn't asked for it any more.
 */
export class KmsCodec implements PayloadCodec {
  readonly keyService: KeyService;
  readonly #options: KmsCodecOptions;
  readonly #observer: Observer;
  readonly #keys: DataKeys;
  readonly #format: WritableFormat;
  readonly #maxPayload: number;
  readonly #maxDecompressed: number;
  readonly #maxCall: number;
  readonly #timer: NodeJS.Timeout | undefined;
  // Bounded, since a namespace may come from a request.
  readonly #scopes = new LRUCache<string, NamespaceScope>({
    max: 1_024,
    memoMethod: (namespace) => this.#namespaceScope(namespace),
  });

  constructor(options: KmsCodecOptions);
  /** @internal @param shared the data keys of another codec, see {@link forNamespace} */
  constructor(options: KmsCodecOptions, shared: DataKeys);
  constructor(options: KmsCodecOptions, shared?: DataKeys) {
    this.#options = options;
    this.#observer = options.observer ?? {};
    this.keyService = options.keyService;
    this.#format = options.format ?? 'envelope-v2';
    this.#maxPayload = options.maxPayloadBytes ?? 64 * MiB;
    this.#maxDecompressed = options.maxDecompressedBytes ?? 16 * MiB;
    this.#maxCall = options.maxCallBytes ?? 128 * MiB;
    const keys =
      shared ??
      new DataKeys(this.keyService, resolveLimits(options.limits), this.#observer, options.now ?? Date.now);
    this.#keys = keys;
    if (!shared) this.#timer = setInterval(() => keys.maintain(), MAINTAIN_EVERY_MS).unref();
  }

  get rules(): KeyRules {
    return this.#options.rules;
  }

  /** The same codec, keys and caches for another namespace: what the plugin gives to a client or worker of it. */
  forNamespace(namespace: string): KmsCodec {
    return new KmsCodec({ ...this.#options, namespace }, this.#keys);
  }

  /** The same codec where other codecs decode after it, see {@link KmsCodecOptions.innerCodecs}. */
  beforeOthers(): KmsCodec {
    return new KmsCodec({ ...this.#options, innerCodecs: true }, this.#keys);
  }

  /** The same codec for replay workers, whose contexts name no real namespace or workflow: its own namespace counts. */
  forReplay(): KmsCodec {
    return new KmsCodec({ ...this.#options, ignoreContext: true }, this.#keys);
  }

  /**
   * Seals payloads, in their order; external-storage references pass. No call to Cloud KMS while a data key is at hand.
   * @throws KmsCodecError `namespace_not_configured`, `key_not_allowed` (decrypt only), `too_large`,
   *   `data_key_exhausted`, or why Cloud KMS gives no data key
   */
  async encode(payloads: Payload[], context?: CodecContext, options?: CallOptions): Promise<Payload[]> {
    checkPayloads(payloads);
    if (payloads.length === 0) return payloads;
    const scope = this.#scope(context, options);
    return this.#each(payloads, scope, (payload) => this.#seal(payload, scope, context));
  }

  /**
   * Opens payloads, in their order and through all their layers; what the codec doesn't know passes, as far as the
   * namespace's rule lets it. A payload that it decrypted and that is still encrypted or compressed does not pass,
   * unless other codecs decode after this one (`innerCodecs`).
   * @throws KmsCodecError the first that can't be opened
   */
  async decode(payloads: Payload[], context?: CodecContext, options?: CallOptions): Promise<Payload[]> {
    checkPayloads(payloads);
    if (payloads.length === 0) return payloads;
    const scope = this.#scope(context, options);
    const unreadable = this.#options.innerCodecs ? 'pass' : 'refuse';
    return this.#each(payloads, scope, (payload) => this.#open(payload, scope, unreadable));
  }

  /**
   * One payload and how it had been kept; `info.reason` is `not_encrypted` beside a payload that should have been.
   * Unlike decode, it refuses what it would have to hand out still encrypted or compressed: a `binary/encrypted` payload
   * under a key that isn't configured with `key_not_allowed`, everything else with `layer_unreadable`.
   */
  async open(payload: Payload, context?: CodecContext, options?: CallOptions): Promise<Opened> {
    checkPayload(payload);
    const scope = this.#scope(context, options);
    const info = inspect(payload, scope);
    if (info.format !== 'plain' && info.reason === 'key_not_allowed') {
      throw new KmsCodecError(
        'key_not_allowed',
        `The payload names a key that isn't listed for ${scope.rule.namespace}`,
      );
    }
    checkReadable(payload);
    const [opened] = await this.#each([payload], scope, (one) => this.#open(one, scope, 'refuse'));
    return { payload: opened ?? payload, info };
  }

  /** What a payload says of itself and whether this codec would open it, without any Cloud KMS call. */
  inspect(payload: Payload, context?: CodecContext): PayloadInfo {
    let isPayload = false;
    try {
      checkPayload(payload);
      isPayload = true;
      return inspect(payload, this.#scope(context));
    } catch (error) {
      if (!(error instanceof KmsCodecError)) throw error;
      const stored = isPayload ? storedAs(payload) : ({ format: 'plain', encoding: '', bytes: 0 } as const);
      return { ...stored, reason: error.code };
    }
  }

  /**
   * How many answers of Cloud KMS decode would wait for: one a data key that isn't at hand, one a direct message. For
   * whoever must bound what one request may cost. Makes no call.
   * @throws KmsCodecError `namespace_not_configured`
   */
  unopened(payloads: readonly Payload[], context?: CodecContext): number {
    checkPayloads(payloads);
    return countUnopened(this.#keys, payloads, this.#scope(context));
  }

  /**
   * Gets a namespace's first data key, so that the first message doesn't wait for it. Does nothing where the process
   * only decrypts or the format has no data key.
   */
  async warm(namespace?: string): Promise<void> {
    const scope = this.#scope(namespace === undefined ? undefined : { namespace });
    if (scope.purpose) await this.#keys.warm(scope, scope.purpose);
  }

  /** Refreshes data keys that are due and lets go of expired ones; a timer does it as well. */
  maintain(): void {
    this.#keys.maintain();
  }

  /** Forgets all keys and closes the connection to Cloud KMS. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#keys.clear();
    await this.keyService.close();
  }

  #scope(context: CodecContext | undefined, options?: CallOptions): Scope {
    checkContext(context);
    const { ignoreContext, waitMs, namespace: own } = this.#options;
    const known = ignoreContext ? undefined : context;
    const budgetMs = known?.type === 'activity' ? (waitMs?.activity ?? 60_000) : (waitMs?.other ?? 5_000);
    const { rule, accepted, purpose } = this.#scopes.memo(known?.namespace ?? own ?? 'default');
    return {
      rule,
      accepted,
      purpose,
      workflowId: known?.workflowId,
      waitBudget: new WaitBudget(budgetMs, options),
      budget: options?.budget ?? new CallBudget(this.#maxCall),
      maxDecompressedBytes: this.#maxDecompressed,
      authorizeNamespace: options?.authorizeNamespace?.bind(options),
      innerKmsCalls: options?.innerKmsCalls,
      onInnerLayer: options?.onInnerLayer,
    };
  }

  /** What of a scope depends on the namespace alone. */
  #namespaceScope(namespace: string): NamespaceScope {
    const { rules, namespace: own } = this.#options;
    const rule = rules.resolve(namespace);
    const accepted = [...acceptedBy(rules, rule)];
    if (own !== undefined && own !== namespace) accepted.push(...acceptedBy(rules, rules.resolve(own)));
    return {
      rule,
      accepted,
      purpose: rule.encrypt === undefined ? undefined : this.#purpose(namespace, rule.encrypt),
    };
  }

  #purpose(namespace: string, cryptoKey: string): SealingPurpose | undefined {
    switch (this.#format) {
      case 'envelope-v2':
        return purposeV2(namespace, cryptoKey);
      case 'envelope':
        return purposeV1(namespace, cryptoKey);
      case 'direct':
        return undefined;
    }
  }

  /** Results keep their places; synchronous ones cost no promise, and one failure doesn't leave others unheard. */
  #each(
    payloads: Payload[],
    scope: Scope,
    act: (payload: Payload) => MaybePromise<Payload>,
  ): MaybePromise<Payload[]> {
    const results: Payload[] = [];
    const pending: Promise<void>[] = [];
    try {
      for (const payload of payloads) {
        const result = act(payload);
        if (result instanceof Promise) {
          pending.push(place(results, results.length, result));
          results.push(payload);
        } else {
          results.push(result);
        }
      }
    } catch (error) {
      for (const one of pending) one.catch(() => undefined);
      scope.waitBudget.fail();
      throw this.#refused(error, scope);
    }
    if (pending.length === 0) return results;
    return Promise.all(pending).then(
      () => results,
      (error: unknown) => {
        scope.waitBudget.fail();
        throw this.#refused(error, scope);
      },
    );
  }

  #refused(error: unknown, scope: Scope): unknown {
    if (!(error instanceof KmsCodecError)) return error;
    if (scope.waitBudget.hasLeft) return scope.waitBudget.reason;
    this.#observer.refused?.({ namespace: scope.rule.namespace, code: error.code, key: error.key });
    return error.clone();
  }

  #seal(payload: Payload, scope: Scope, context: CodecContext | undefined): MaybePromise<Payload> {
    if (formatOf(payload) === 'external') return payload;
    const { namespace, encrypt } = scope.rule;
    const bytes = payload.data?.length ?? 0;
    if (encrypt === undefined) {
      throw new KmsCodecError(
        'key_not_allowed',
        `No key that encrypts is configured for the namespace ${namespace}`,
      );
    }
    this.#checkSize(bytes);
    const exact = withExactSizes(payload);
    const { purpose } = scope;
    const boundTo = this.#options.bindWorkflow ? context?.workflowId : undefined;
    const sealed = andThen(scope.budget.reserve(bytes), () =>
      purpose
        ? this.#keys.withSealing(scope, purpose, bytes, (key) =>
            withSerialized(exact, (pieces) => this.#sealWith(key, pieces, boundTo)),
          )
        : sealDirect(this.#keys, exact, encrypt, scope),
    );
    // What decode would find too large may not be written: it counts the whole message, and once more what it
    // decompresses.
    const stored = andThen(sealed, (message) => {
      const size = message.data?.length ?? 0;
      this.#checkSize(size);
      const more = this.#options.compression === undefined ? size - bytes : size;
      return andThen(scope.budget.reserve(Math.max(more, 0)), () => message);
    });
    whenDone(stored, () => this.#observer.sealed?.({ namespace, format: this.#format, bytes }));
    return stored;
  }

  #sealWith(key: SealingKey, pieces: readonly Uint8Array[], boundTo: string | undefined): Payload {
    if (this.#format === 'envelope') return sealV1(key, pieces);
    const frame = this.#options.compression === 'zstd' ? compress(pieces, this.#maxDecompressed) : undefined;
    return sealV2(key, frame ? [frame] : pieces, frame !== undefined, boundTo);
  }

  #open(payload: Payload, scope: Scope, unreadable: Unreadable): MaybePromise<Payload> {
    const bytes = payload.data?.length ?? 0;
    this.#checkSize(bytes);
    const { namespace } = scope.rule;
    const format = formatOf(payload);
    const stored = isCompressed(payload) ? decompressStored(format, this.#keys, payload, scope) : payload;
    const opened = andThen(stored, (message) => openLayers(format, this.#keys, message, scope, unreadable));
    if (format === 'plain') {
      if (isUnexpected(payload, scope)) whenDone(opened, () => this.#observer.notEncrypted?.({ namespace }));
    } else if (opened !== payload) {
      whenDone(opened, () => this.#observer.opened?.({ namespace, format, bytes }));
    }
    return opened;
  }

  #checkSize(bytes: number): void {
    if (bytes > this.#maxPayload) {
      throw new KmsCodecError('too_large', `A payload of ${bytes} bytes; the limit is ${this.#maxPayload}`);
    }
  }
}

/** Tells of a success, never of a failure. */
function whenDone(result: MaybePromise<Payload>, tell: () => void): void {
  if (result instanceof Promise) result.then(tell, () => undefined);
  else tell();
}

async function place(results: Payload[], index: number, result: Promise<Payload>): Promise<void> {
  results[index] = await result;
}
