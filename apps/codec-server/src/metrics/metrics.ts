import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { Observer } from '@temporal-kms/kms-codec';
import type { HttpMeter } from '../http/context.ts';
import type { RateLimit } from '../http/rate-limits.ts';
import { codecMetrics } from './codec-metrics.ts';
import { Counts } from './counts.ts';
import { memoryMetrics, type MemoryUse } from './memory-metrics.ts';
import { processMetrics } from './process-metrics.ts';

export interface Metrics extends HttpMeter {
  readonly observer: Observer;
  readonly auditFailed: () => void;
  /** @param head the audit's last line */
  followAudit(head: () => { readonly seq: number }): void;
  /** Prometheus' text format, version 0.0.4. */
  text(): Promise<string>;
}

/** Seconds. `CODEC_REQUEST_SECONDS` is 30 unless set. */
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const limitNames: Readonly<Record<RateLimit, string>> = {
  requests: 'requests',
  kmsRequests: 'kms_requests',
  unauthenticated: 'unauthenticated',
};

const methods = new Set(['GET', 'POST', 'OPTIONS']);

/**
 * @param named whether a namespace may stand in a label: those that are configured
 * @param memory what requests in flight hold together; absent: not measured
 */
export function createMetrics(named: (namespace: string) => boolean, memory?: MemoryUse): Metrics {
  // Only its collecting is used: it would serve on a port of its own.
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const meter = new MeterProvider({ readers: [exporter] }).getMeter('codec-server');

  const requests = meter.createHistogram('codec_http_request_duration_seconds', {
    description: 'Requests by the pattern of their route, up to the head of the answer',
    advice: { explicitBucketBoundaries: REQUEST_BUCKETS },
  });
  let open = 0;
  meter
    .createObservableGauge('codec_open_streams', { description: 'Streams that are being answered' })
    .addCallback((result) => result.observe(open));
  let auditFailures = 0;
  meter
    .createObservableCounter('codec_audit_write_failures', {
      description: 'Audit lines that were not written',
    })
    .addCallback((result) => result.observe(auditFailures));
  const rateLimited = new Counts(
    meter,
    'codec_rate_limited',
    'Requests answered 429, by the rate limit that they exceeded',
    ['limit'],
  );
  if (memory !== undefined) memoryMetrics(meter, memory);
  processMetrics(meter);

  return {
    observer: codecMetrics(meter, named),
    request: ({ method, route, status, ms }) =>
      requests.record(ms / 1_000, { method: methods.has(method) ? method : 'other', route, status }),
    streamOpened: () => {
      open += 1;
      let once = true;
      return () => {
        if (once) open -= 1;
        once = false;
      };
    },
    rateLimited: (limit) => rateLimited.add(limitNames[limit]),
    followAudit: (head) =>
      meter
        .createObservableGauge('codec_audit_sequence', {
          description: "Sequence number of the audit's last line",
        })
        .addCallback((result) => result.observe(head().seq)),
    auditFailed: () => void (auditFailures += 1),
    text: async () => serializer.serialize((await exporter.collect()).resourceMetrics),
  };
}
