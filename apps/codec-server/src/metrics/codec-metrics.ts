import type { Meter } from '@opentelemetry/api';
import type { Observer } from '@temporal-kms/kms-codec';
import { Counts } from './counts.ts';

/** Seconds; Cloud KMS answers in tens of milliseconds, and is waited for up to 5 s. */
const KMS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * What kms-codec reports, counted.
 * @param named whether a namespace may stand in a label: any other is counted as `other`
 */
export function codecMetrics(meter: Meter, named: (namespace: string) => boolean): Observer {
  const label = (namespace: string): string => (named(namespace) ? namespace : 'other');
  const opened = new Counts(meter, 'codec_payloads_opened', 'Payloads that were decrypted', [
    'namespace',
    'format',
  ]);
  const sealed = new Counts(meter, 'codec_payloads_sealed', 'Payloads that were encrypted', [
    'namespace',
    'format',
  ]);
  const refused = new Counts(meter, 'codec_payloads_refused', 'Payloads that could not be opened or sealed', [
    'namespace',
    'code',
  ]);
  const plain = new Counts(meter, 'codec_payloads_not_encrypted', 'Plaintext where ciphertext belongs', [
    'namespace',
  ]);
  const lookups = new Counts(meter, 'codec_data_key_lookups', 'Look-ups of an opened data key', [
    'namespace',
    'outcome',
  ]);
  const rotated = new Counts(
    meter,
    'codec_data_key_rotations',
    'New data keys, by why the old one was given up',
    ['namespace', 'reason'],
  );
  const stale = new Counts(meter, 'codec_data_key_refresh_failures', 'New data keys that could not be had', [
    'namespace',
    'code',
  ]);
  const retries = new Counts(meter, 'codec_kms_retries', 'Cloud KMS calls that will be made again', ['code']);
  const calls = meter.createHistogram('codec_kms_call_duration_seconds', {
    description: 'Cloud KMS calls; code is ok or why it failed',
    advice: { explicitBucketBoundaries: KMS_BUCKETS },
  });
  return {
    opened: ({ namespace, format }) => opened.add(label(namespace), format),
    sealed: ({ namespace, format }) => sealed.add(label(namespace), format),
    refused: ({ namespace, code }) => refused.add(label(namespace), code),
    notEncrypted: ({ namespace }) => plain.add(label(namespace)),
    dataKeyLookup: ({ namespace, outcome }) => lookups.add(label(namespace), outcome),
    dataKeyRotated: ({ namespace, reason }) => rotated.add(label(namespace), reason),
    dataKeyRefreshFailed: ({ namespace, code }) => stale.add(label(namespace), code),
    kmsRetry: ({ code }) => retries.add(code),
    kmsCall: ({ operation, milliseconds, code }) =>
      calls.record(milliseconds / 1_000, { operation, code: code ?? 'ok' }),
  };
}
