import type { BranchKeyStore } from './branch-keys/store.ts';
import type { KeyRules } from './keys/key-rules.ts';
import type { KeyService } from './keys/key-service.ts';
import type { DataKeyLimits } from './keys/limits.ts';
import type { Observer } from './observer.ts';

/** Where a payload is encoded or decoded. Temporal's `SerializationContext` is assignable to it. */
export interface CodecContext {
  readonly type?: 'workflow' | 'activity';
  readonly namespace?: string | undefined;
  readonly workflowId?: string | undefined;
  /** In activities. Identifies the activity task whose payloads are decoded; the messages do not depend on it. */
  readonly activityId?: string | undefined;
}

/** The formats that the codec writes. */
export type WritableFormat = 'envelope-v2' | 'envelope' | 'direct';

/** The options of a `KmsCodec`. `loadKmsCodec` reads most of them from the environment. */
export interface KmsCodecOptions {
  /** The crypto keys of each namespace. */
  readonly rules: KeyRules;
  readonly keyService: KeyService;
  /**
   * The namespace of calls without a context. If set, the codec also reads its messages in other namespaces'
   * contexts, and reads another namespace's messages only if the rules name or accept that namespace, whatever a
   * context contains. Default: calls without a context use `default`, and only a context's namespace counts otherwise.
   */
  readonly namespace?: string | undefined;
  /** Default `envelope-v2`. */
  readonly format?: WritableFormat | undefined;
  /** Default none, because the size of compressed ciphertext reveals something about its content. */
  readonly compression?: 'zstd' | undefined;
  /**
   * Binds messages to their workflow in addition to their namespace. Do not set it where a workflow reads results of
   * Nexus operations: these are decoded in the context of the caller.
   */
  readonly bindWorkflow?: boolean | undefined;
  /** For replay workers, whose contexts do not name the real namespace and workflow: only `namespace` counts. */
  readonly ignoreContext?: boolean | undefined;
  /**
   * Set if other codecs decode after this codec. `decode` then returns an inner payload that this codec does not read,
   * instead of refusing it with `layer_unreadable`. The plugin sets it where needed. Default false.
   */
  readonly innerCodecs?: boolean | undefined;
  /**
   * Where processes share their branch keys, in the format `envelope-v2`. The codec closes it. Give all processes that
   * share a store the same `limits`. Default none: each process creates its own branch keys.
   */
  readonly branchKeyStore?: BranchKeyStore | undefined;
  readonly limits?: Partial<DataKeyLimits> | undefined;
  /** Limit on the data of one payload, in bytes, in both directions. Default 64 MiB. */
  readonly maxPayloadBytes?: number | undefined;
  /** Limit on the content of one compressed payload, in bytes. Default 16 MiB. */
  readonly maxDecompressedBytes?: number | undefined;
  /** Limit on the plaintext of all payloads of one call, in bytes, in both directions. Default 128 MiB. */
  readonly maxCallBytes?: number | undefined;
  /**
   * How long a call waits for each answer of Cloud KMS, in ms. Default 60,000 in an activity's context, else 5,000.
   *
   * In a worker with worker-kit's `KmsWorkerPlugin`, an activity's input also waits no longer than its attempt allows:
   * half of its time, so the activity has the other half. The last attempt waits until shortly before its time limit,
   * if `activity` is not set. An activity's result is decoded in a workflow task, so `other` applies to it.
   */
  readonly waitMs?: { readonly activity?: number; readonly other?: number } | undefined;
  readonly observer?: Observer | undefined;
  /** Returns milliseconds since any fixed time, which is 1970 with `branchKeyStore`. For tests. */
  readonly now?: (() => number) | undefined;
}
