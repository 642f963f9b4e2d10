import type { MetricCounter, MetricMeter, MetricTags } from '@temporalio/common';
import type { KmsCodec } from './codec.ts';
import { reasonCodes } from './reason-codes.ts';
import type { Observer } from './observer.ts';

/** How often counters and gauges are written, in ms. */
const REPORT_MS = 1_000;

/** Metrics of a codec, see {@link reportMetrics}. */
export interface CodecMetrics {
  /** Counts the codec's events: pass it to the codec as its `observer`. */
  readonly observer: Observer;
  /**
   * Reports the state of a codec's keys in some namespaces. Their counters exist from then on, with the value 0. Events of
   * other namespaces are counted as `other`.
   * @param codec the codec that has the observer
   */
  follow(codec: Pick<KmsCodec, 'keyState'>, namespaces: readonly string[]): void;
  /** Writes what was counted, and stops reporting. */
  stop(): void;
}

/**
 * Reports a codec's events and the state of its keys through a meter of Temporal's SDK. With the meter of a worker's
 * Runtime they appear next to the metrics of Temporal's Core, in Prometheus or OpenTelemetry. docs/operations.md lists their
 * names. No label contains anything from a payload.
 *
 * @example
 * const metrics = reportMetrics(Runtime.instance().metricMeter);
 * const codec = loadKmsCodec({ observer: metrics.observer });
 * metrics.follow(codec, ['payments']);
 */
export function reportMetrics(meter: MetricMeter): CodecMetrics {
  const counters: Counter[] = [];
  const counter = (name: string, description: string): Counter => {
    const made = new Counter(meter.createCounter(`codec_${name}`, undefined, description));
    counters.push(made);
    return made;
  };
  const encrypted = counter('payloads_encrypted', 'Payloads encrypted');
  const decrypted = counter('payloads_decrypted', 'Payloads decrypted');
  const refused = counter('payloads_refused', 'Payloads that could not be encrypted or decrypted');
  const replaced = counter('failures_replaced', 'Failures stored without their message and details');
  const plain = counter('payloads_not_encrypted', 'Plaintext payloads in place of ciphertext');
  const lookups = counter('data_key_lookups', 'Lookups in the cache of data keys');
  const revalidated = counter(
    'key_revalidations',
    'Key versions in use that Cloud KMS was asked about again',
  );
  const rotated = counter('data_key_rotations', 'New keys that encrypt');
  const stale = counter('data_key_refresh_failures', 'Failed attempts to get a new key that encrypts');
  const retries = counter('kms_retries', 'Retries of Cloud KMS calls');
  const store = counter('branch_key_store_failures', 'Outages of the branch-key store');
  const calls = meter.createHistogram(
    'codec_kms_call_duration_seconds',
    'float',
    undefined,
    'Duration of Cloud KMS calls',
  );
  const autonomy = meter.createGauge(
    'codec_autonomy_seconds',
    'float',
    undefined,
    'Seconds for which the keys in memory last without Cloud KMS',
  );
  const failing = meter.createGauge('codec_kms_failing', 'int', undefined, '1 while Cloud KMS fails, else 0');

  // A default rule covers any namespace, and each label value is a time series.
  const namespaces = new Set<string>();
  const label = (namespace: string): string => (namespaces.has(namespace) ? namespace : 'other');
  let followed: (() => void)[] = [];
  const report = (): void => {
    for (const one of counters) one.flush();
    for (const one of followed) one();
  };
  const timer = setInterval(report, REPORT_MS).unref();

  return {
    observer: {
      encrypted: ({ namespace, format }) => encrypted.count({ namespace: label(namespace), format }),
      decrypted: ({ namespace, format }) => decrypted.count({ namespace: label(namespace), format }),
      refused: ({ namespace, code }) => refused.count({ namespace: label(namespace), code }),
      failureReplaced: ({ namespace, code }) => replaced.count({ namespace: label(namespace), code }),
      notEncrypted: ({ namespace }) => plain.count({ namespace: label(namespace) }),
      dataKeyLookup: ({ namespace, outcome }) => lookups.count({ namespace: label(namespace), outcome }),
      keyRevalidated: ({ namespace, outcome }) => revalidated.count({ namespace: label(namespace), outcome }),
      dataKeyRotated: ({ namespace, reason }) => rotated.count({ namespace: label(namespace), reason }),
      dataKeyRefreshFailed: ({ namespace, code }) => stale.count({ namespace: label(namespace), code }),
      kmsRetry: ({ code }) => retries.count({ code }),
      branchKeyStoreFailed: ({ code }) => store.count({ code }),
      kmsCall: ({ operation, milliseconds, code }) =>
        calls.record(milliseconds / 1_000, { operation, code: code ?? 'ok' }),
    },
    follow: (codec, names) => {
      for (const namespace of names) {
        namespaces.add(namespace);
        encrypted.start({ namespace, format: 'envelope-v2' });
        decrypted.start({ namespace, format: 'envelope-v2' });
        plain.start({ namespace });
        for (const outcome of ['hit', 'stale', 'miss', 'joined']) lookups.start({ namespace, outcome });
        for (const outcome of ['confirmed', 'refused', 'unavailable'])
          revalidated.start({ namespace, outcome });
        for (const code of reasonCodes) {
          for (const one of [refused, replaced, stale]) one.start({ namespace, code });
        }
        followed.push(() => {
          const { autonomySeconds, failure } = codec.keyState(namespace);
          if (Number.isFinite(autonomySeconds)) autonomy.set(autonomySeconds, { namespace });
          failing.set(failure === undefined ? 0 : 1, { namespace });
        });
      }
      report();
    },
    stop: () => {
      clearInterval(timer);
      report();
      followed = [];
    },
  };
}

/** Counts in memory, and adds the sums to a counter of the SDK: each of its calls crosses to native code. */
class Counter {
  readonly #counter: MetricCounter;
  readonly #counts = new Map<string, { readonly tags: MetricTags; count: number }>();

  constructor(counter: MetricCounter) {
    this.#counter = counter;
  }

  count(tags: Readonly<Record<string, string>>): void {
    this.#of(tags).count += 1;
  }

  /** Makes the counter appear with the value 0. */
  start(tags: Readonly<Record<string, string>>): void {
    this.#of(tags);
    this.#counter.add(0, tags);
  }

  flush(): void {
    for (const counted of this.#counts.values()) {
      if (counted.count > 0) this.#counter.add(counted.count, counted.tags);
      counted.count = 0;
    }
  }

  #of(tags: Readonly<Record<string, string>>) {
    const name = Object.values(tags).join('\n');
    const known = this.#counts.get(name);
    if (known) return known;
    const counted = { tags: { ...tags }, count: 0 };
    this.#counts.set(name, counted);
    return counted;
  }
}
