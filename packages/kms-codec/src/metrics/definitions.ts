import type { BranchKeyStoreCode } from '../branch-keys/store.ts';
import type { KeyState } from '../keys/key-state.ts';
import { kmsCallCodes } from '../keys/kms-errors.ts';
import type { Observer } from '../observer.ts';
import { reasonClass, reasonCodes } from '../reason-codes.ts';

/*
 * Every metric of a codec and of `runWorker`, with its name, description and labels, and the observer event
 * that it counts. docs/metrics.md explains the metrics to operators. A test compares that page with this
 * module.
 */

/** The argument of an observer's method. */
export type EventOf<E extends keyof Observer> = Parameters<Required<Observer>[E]>[0];

interface Metric {
  /** Prometheus appends `_total` to the names of counters. */
  readonly name: string;
  readonly description: string;
}

/** A metric label whose value comes from an event. No label contains data from a payload. */
export interface Label<E extends keyof Observer> {
  readonly name: string;
  /**
   * The label values for which time series exist before the first event. For `namespace`, `follow` adds the
   * values.
   */
  readonly values?: readonly string[];
  of(event: EventOf<E>): string;
}

/** A counter of events. */
export interface CounterDefinition<E extends keyof Observer = keyof Observer> extends Metric {
  readonly event: E;
  readonly labels: readonly [Label<E>, Label<E>?];
  /** Returns whether an event counts. By default, every event counts. */
  counts?(event: EventOf<E>): boolean;
}

const counter = <E extends keyof Observer>(definition: CounterDefinition<E>): CounterDefinition<E> =>
  definition;

const namespace = { name: 'namespace', of: (event: { readonly namespace: string }) => event.namespace };
/** Returns a label with the name of an event's field. */
const label = <N extends string>(name: N, values: readonly string[]) => ({
  name,
  values,
  of: (event: { readonly [Field in N]: string }) => event[name],
});
const format = label('format', ['envelope-v2']);
const code = (values: readonly string[]) => ({
  name: 'code',
  values,
  of: (event: { readonly code?: string }) => event.code ?? 'ok',
});

/** Excludes the codes that only the history API and readers of external storage use. */
const refusals = reasonCodes.filter(
  (one) =>
    reasonClass(one) !== 'information' &&
    one !== 'event_not_found' &&
    one !== 'namespace_not_permitted' &&
    !one.startsWith('storage_'),
);
const kmsOperations = ['wrap', 'unwrap', 'describe'];
/** Every store code. TypeScript reports a code that is missing here. */
const storeCodes: Readonly<Record<BranchKeyStoreCode, true>> = {
  unavailable: true,
  not_permitted: true,
  not_installed: true,
  untrusted: true,
  malformed: true,
  unsupported_version: true,
  unverified: true,
};
const storeOperations = ['load', 'replace', 'adopt'];

export const counters: readonly CounterDefinition[] = [
  counter({
    event: 'encrypted',
    name: 'codec_payloads_encrypted',
    description: 'Payloads encrypted',
    labels: [namespace, format],
  }),
  counter({
    event: 'decrypted',
    name: 'codec_payloads_decrypted',
    description: 'Payloads decrypted',
    labels: [namespace, format],
  }),
  counter({
    event: 'refused',
    name: 'codec_payloads_refused',
    description: 'Failed calls to encode or decode, by reason code',
    labels: [namespace, code(refusals)],
  }),
  counter({
    event: 'failureReplaced',
    name: 'codec_failures_replaced',
    description: 'Failures stored without their message and details, by reason code',
    labels: [namespace, code(refusals)],
  }),
  counter({
    event: 'notEncrypted',
    name: 'codec_payloads_not_encrypted',
    description: 'Plaintext payloads where ciphertext was expected',
    labels: [namespace],
  }),
  counter({
    event: 'dataKeyLookup',
    name: 'codec_data_key_lookups',
    description: 'Lookups in the cache of unwrapped keys',
    labels: [namespace, label('outcome', ['hit', 'stale', 'miss', 'joined'])],
  }),
  counter({
    event: 'keyRevalidated',
    name: 'codec_key_revalidations',
    description: 'Checks with Cloud KMS whether a key version in use still decrypts',
    labels: [namespace, label('outcome', ['confirmed', 'refused', 'unavailable'])],
  }),
  counter({
    event: 'dataKeyRotated',
    name: 'codec_data_key_rotations',
    description: 'New encryption keys, by the reason for the replacement of the previous key',
    labels: [namespace, label('reason', ['first', 'age', 'messages', 'bytes'])],
  }),
  counter({
    event: 'dataKeyRotated',
    name: 'codec_branch_keys_adopted',
    description: 'New encryption keys that another process created',
    labels: [namespace],
    counts: ({ origin }) => origin === 'store',
  }),
  counter({
    event: 'dataKeyRefreshFailed',
    name: 'codec_data_key_refresh_failures',
    description: 'Failed attempts to get a new encryption key, by reason code',
    labels: [namespace, code(kmsCallCodes)],
  }),
  counter({
    event: 'branchKeyStoreFailed',
    name: 'codec_branch_key_store_failures',
    description: 'Outages of the branch-key store, and refused stored keys',
    labels: [label('operation', storeOperations), code(Object.keys(storeCodes))],
  }),
  counter({
    event: 'kmsCall',
    name: 'codec_kms_calls',
    description: 'Attempts to call Cloud KMS; code is ok or the reason code of the failure',
    labels: [label('operation', kmsOperations), code(['ok', ...kmsCallCodes])],
  }),
  counter({
    event: 'kmsRetry',
    name: 'codec_kms_retries',
    description: 'Retries of Cloud KMS calls, by reason code',
    labels: [code(kmsCallCodes.filter((one) => reasonClass(one) === 'retryable'))],
  }),
];

/** The duration of attempts to call Cloud KMS. A histogram has no time series before its first event. */
export const kmsCallDuration = {
  name: 'codec_kms_call_duration_seconds',
  description: 'Duration of attempts to call Cloud KMS; code is ok or the reason code of the failure',
  operation: label('operation', []),
  code: code([]),
  seconds: ({ milliseconds }: EventOf<'kmsCall'>): number => milliseconds / 1_000,
};

/** A gauge for a namespace's keys. */
interface KeyGauge extends Metric {
  /** Returns the value, or undefined to leave the gauge at its previous value. */
  of(state: KeyState): number | undefined;
}

export const keyGauges: readonly KeyGauge[] = [
  {
    name: 'codec_autonomy_seconds',
    description: 'Seconds for which the keys in memory will last if Cloud KMS does not respond',
    of: ({ autonomySeconds }) => (Number.isFinite(autonomySeconds) ? autonomySeconds : undefined),
  },
  {
    name: 'codec_encryption_key_age_seconds',
    description: 'Age of the current encryption key in seconds; 0 if there is none',
    of: ({ encryptionKeyAgeSeconds }) => encryptionKeyAgeSeconds ?? 0,
  },
  {
    name: 'codec_oldest_key_age_seconds',
    description:
      'Seconds since Cloud KMS last wrapped or unwrapped the oldest key in memory; 0 if there are no keys',
    of: ({ oldestKeyAgeSeconds }) => oldestKeyAgeSeconds ?? 0,
  },
  {
    name: 'codec_kms_failing',
    description: '1 while Cloud KMS fails, else 0',
    of: ({ failure }) => (failure === undefined ? 0 : 1),
  },
];

export const callsWaiting: Metric = {
  name: 'codec_calls_waiting',
  description: 'Encode and decode calls that are waiting for Cloud KMS',
};

export const storeFailing = {
  name: 'codec_branch_key_store_failing',
  description: '1 while the branch-key store fails or a stored key is refused, else 0',
  operations: storeOperations,
};

export const workerRestarts: Metric = {
  name: 'codec_worker_restarts',
  description: 'Failed workers that this process replaced',
};

export const workerReady: Metric = {
  name: 'codec_worker_ready',
  description: '1 while the worker polls, Temporal answers and keys last long enough, else 0',
};
