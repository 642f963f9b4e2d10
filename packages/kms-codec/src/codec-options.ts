import type { BranchKeyStore } from './branch-keys/store.ts';
import type { KeyRules } from './keys/key-rules.ts';
import type { KeyService } from './keys/key-service.ts';
import type { DataKeyLimits } from './keys/limits.ts';
import type { Observer } from './observer.ts';

/**
 * The namespace and workflow for which a payload is encoded or decoded. Temporal's `SerializationContext` is
 * assignable to this type.
 */
export interface CodecContext {
  readonly type?: 'workflow' | 'activity';
  readonly namespace?: string | undefined;
  readonly workflowId?: string | undefined;
  /**
   * Identifies the activity task whose payloads are decoded. Set only for activities. Messages are not bound
   * to an activity.
   */
  readonly activityId?: string | undefined;
}

/** The formats that the codec writes. */
export type WritableFormat = 'envelope-v2' | 'envelope' | 'direct';

/** The options of a `KmsCodec`. `loadKmsCodec` reads most options from the environment. */
export interface KmsCodecOptions {
  /** The crypto keys of each namespace. */
  readonly rules: KeyRules;
  readonly keyService: KeyService;
  /**
   * The namespace of calls without a context. If this option is set, the codec also reads this namespace's
   * messages in calls for other namespaces. The codec reads messages of any other namespace only if the rules
   * name or accept that namespace, whatever the context contains. By default, a call uses the namespace of
   * its context, or `default` if it has no context.
   */
  readonly namespace?: string | undefined;
  /** The format of new payloads. Default `envelope-v2`. */
  readonly format?: WritableFormat | undefined;
  /**
   * The compression of payloads before encryption. By default, payloads are not compressed, because the size
   * of compressed ciphertext reveals something about its content.
   */
  readonly compression?: 'zstd' | undefined;
  /**
   * Binds messages to their workflow in addition to their namespace. Do not set this option if a workflow
   * reads results of Nexus operations, because the SDK decodes such results in the caller's context.
   */
  readonly bindWorkflow?: boolean | undefined;
  /**
   * Set for replay workers, whose contexts do not name the real namespace and workflow. The codec then uses
   * only `namespace`.
   */
  readonly ignoreContext?: boolean | undefined;
  /**
   * Set if other codecs decode after this codec. `decode` then returns an inner payload that this codec
   * cannot read, instead of throwing `layer_unreadable`. The plugin sets this option if needed. Default
   * false.
   */
  readonly innerCodecs?: boolean | undefined;
  /**
   * The store in which processes share the branch keys of the format `envelope-v2`. The codec closes the
   * store. Give all processes that share a store the same `limits`. By default, there is no store, and each
   * process creates its own branch keys.
   */
  readonly branchKeyStore?: BranchKeyStore | undefined;
  readonly limits?: Partial<DataKeyLimits> | undefined;
  /** Limit on one payload's data, in bytes, for encoding and decoding. Default 64 MiB. */
  readonly maxPayloadBytes?: number | undefined;
  /** Limit on one compressed payload's content after decompression, in bytes. Default 16 MiB. */
  readonly maxDecompressedBytes?: number | undefined;
  /**
   * Limit on the total plaintext of one call's payloads, in bytes, for encoding and decoding. Default 128
   * MiB.
   */
  readonly maxCallBytes?: number | undefined;
  /**
   * How long a call waits for each Cloud KMS response, in ms. The default is 60,000 in an activity's context,
   * and 5,000 otherwise.
   *
   * In a worker with worker-kit's `KmsWorkerPlugin`, decoding an activity's input waits for at most half of
   * the attempt's time, so that the activity has the other half. If `activity` is not set, the final attempt
   * waits until shortly before its time limit. `other` applies to an activity's result, because a workflow
   * task decodes it.
   */
  readonly waitMs?: { readonly activity?: number; readonly other?: number } | undefined;
  readonly observer?: Observer | undefined;
  /**
   * A clock for tests. Returns milliseconds since a fixed time, which must be 1970 if `branchKeyStore` is
   * set.
   */
  readonly now?: (() => number) | undefined;
}
