import type { Meter } from '@opentelemetry/api';
import type { Observer } from '@temporal-kms/kms-codec';

/**
 * A counter with one or two labels for events that happen once per payload. `add` costs two map look-ups;
 * OpenTelemetry's own counters sort and serialize their labels on each call. The values are read when metrics are
 * collected.
 */
export class LabelledCounter {
  readonly #counts = new Map<string, Map<string, { count: number }>>();

  constructor(meter: Meter, name: string, description: string, labels: readonly [string, string?]) {
    const [first, second] = labels;
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      for (const [value, counts] of this.#counts) {
        for (const [other, { count }] of counts) {
          result.observe(count, { [first]: value, ...(second === undefined ? {} : { [second]: other }) });
        }
      }
    });
  }

  /**
   * Adds 1.
   * @param first value of the first label. Label values must come from a closed set: each new value is a time series
   */
  add(first: string, second = ''): void {
    let counts = this.#counts.get(first);
    if (counts === undefined) this.#counts.set(first, (counts = new Map()));
    const known = counts.get(second);
    if (known === undefined) counts.set(second, { count: 1 });
    else known.count += 1;
  }
}

/** Seconds. Cloud KMS answers in tens of milliseconds, and the codec waits up to 5 s. */
const KMS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * Returns an observer that counts the codec's events.
 * @param isNamed whether a namespace can be a label value; all other namespaces are counted as `other`
 */
export function codecMetrics(meter: Meter, isNamed: (namespace: string) => boolean): Observer {
  const label = (namespace: string): string => (isNamed(namespace) ? namespace : 'other');
  const counter = (name: string, description: string, ...labels: [string, string?]): LabelledCounter =>
    new LabelledCounter(meter, name, description, labels);

  const decrypted = counter('codec_payloads_decrypted', 'Payloads decrypted', 'namespace', 'format');
  const encrypted = counter('codec_payloads_encrypted', 'Payloads encrypted', 'namespace', 'format');
  const refused = counter(
    'codec_payloads_refused',
    'Payloads that could not be encrypted or decrypted, by reason code',
    'namespace',
    'code',
  );
  const plain = counter(
    'codec_payloads_not_encrypted',
    'Plaintext payloads in place of ciphertext',
    'namespace',
  );
  const lookups = counter('codec_data_key_lookups', 'Data-key cache lookups', 'namespace', 'outcome');
  const revalidated = counter(
    'codec_key_revalidations',
    'Key versions that Cloud KMS was asked about again while their data keys were in use',
    'namespace',
    'outcome',
  );
  const rotated = counter(
    'codec_data_key_rotations',
    'New keys that Cloud KMS wrapped, by the reason why the previous key was replaced',
    'namespace',
    'reason',
  );
  const stale = counter(
    'codec_data_key_refresh_failures',
    'Failed attempts to have Cloud KMS wrap a new key',
    'namespace',
    'code',
  );
  const retries = counter('codec_kms_retries', 'Retries of Cloud KMS calls', 'code');
  const calls = meter.createHistogram('codec_kms_call_duration_seconds', {
    description: 'Duration of Cloud KMS calls; code is ok or the reason code of the failure',
    advice: { explicitBucketBoundaries: KMS_BUCKETS },
  });
  return {
    decrypted: ({ namespace, format }) => decrypted.add(label(namespace), format),
    encrypted: ({ namespace, format }) => encrypted.add(label(namespace), format),
    refused: ({ namespace, code }) => refused.add(label(namespace), code),
    notEncrypted: ({ namespace }) => plain.add(label(namespace)),
    dataKeyLookup: ({ namespace, outcome }) => lookups.add(label(namespace), outcome),
    keyRevalidated: ({ namespace, outcome }) => revalidated.add(label(namespace), outcome),
    dataKeyRotated: ({ namespace, reason }) => rotated.add(label(namespace), reason),
    dataKeyRefreshFailed: ({ namespace, code }) => stale.add(label(namespace), code),
    kmsRetry: ({ code }) => retries.add(code),
    kmsCall: ({ operation, milliseconds, code }) =>
      calls.record(milliseconds / 1_000, { operation, code: code ?? 'ok' }),
  };
}
