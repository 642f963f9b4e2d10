import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { type CodecMeter, type CodecMetrics, type ReasonCode, reportMetrics } from '@temporal-kms/kms-codec';
import type { MemoryBudget } from '../memory.ts';
import { version } from '../version.ts';
import { knownMethod } from './spans.ts';
import { keyStateMetrics, type KeyStates } from './key-states.ts';
import { scanMetrics } from './scan-metrics.ts';
import type { ScanReports } from './scan-reports.ts';

/** A completed request. For a stream, the duration ends when the response headers are sent. */
interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern, never a path. */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

/** The values of the label `limit`, by name in `RateLimit`. */
const limitLabels = {
  kmsRequests: 'kms_requests',
  storageBytes: 'storage_bytes',
  refused: 'refused',
  unauthenticated: 'unauthenticated',
  inFlight: 'in_flight',
  keyTests: 'key_tests',
} as const;

export interface Metrics {
  request(answered: AnsweredRequest): void;
  /** Returns a function to call when the stream has ended; further calls do nothing. */
  streamOpened(): () => void;
  /** Counts a request that got 429 because its caller or address exceeded a rate limit. */
  rateLimited(limit: keyof typeof limitLabels): void;
  readonly codec: Pick<CodecMetrics, 'observer' | 'follow'>;
  readonly auditFailed: () => void;
  /** Counts reads of external storage. */
  readonly storage: { objectRead(bytes: number): void; objectFailed(reason: ReasonCode): void };
  /** @param head returns the audit's last line */
  followAudit(head: () => { readonly seq: number }): void;
  /** @param latest contains Cloud KMS's latest result for each key */
  followKeyStates(latest: KeyStates['latest']): void;
  /** @param scans the report of the latest scan */
  followScans(scans: ScanReports): void;
  /** Resolves to all metrics in Prometheus' text format, version 0.0.4. */
  text(): Promise<string>;
}

/** Buckets in seconds. One boundary is 30 s, the default of `CODEC_REQUEST_SECONDS`. */
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Buckets in seconds. Cloud KMS responds in tens of milliseconds, and the codec waits up to 5 s. */
const KMS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * Maximum number of time series for one metric. The SDK's default of 2,000 is too low, because a metric has
 * up to 21 series for each namespace in the keys file.
 */
const MAX_SERIES = 50_000;

const DENIED: readonly number[] = [401, 403];

export type MemoryUse = Pick<MemoryBudget, 'bytes' | 'inUse' | 'waits' | 'refusals'>;

/**
 * Returns the server's metrics. docs/metrics.md lists the metrics' names and labels.
 * @param memory the memory that requests in flight share; if undefined, there are no memory metrics
 */
export function createMetrics(memory?: MemoryUse): Metrics {
  // This exporter is used only to collect the metrics. Its own server stays off, because it does not check
  // Host and has no probes.
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const views = [{ instrumentName: '*', aggregationCardinalityLimit: MAX_SERIES }];
  const meter = new MeterProvider({ readers: [exporter], views }).getMeter('codec-server');
  const codec = reportMetrics(codecMeter(meter));
  meter
    .createObservableGauge('codec_server_build_info', {
      description: 'Always 1; the label is the version of the codec server',
    })
    .addCallback((result) => result.observe(1, { version }));

  const requests = meter.createHistogram('codec_http_request_duration_seconds', {
    description: 'Time until the response headers are sent, by route pattern',
    advice: { explicitBucketBoundaries: REQUEST_BUCKETS },
  });
  let open = 0;
  meter
    .createObservableGauge('codec_open_streams', { description: 'Streaming responses in progress' })
    .addCallback((result) => result.observe(open));
  let auditFailures = 0;
  meter
    .createObservableCounter('codec_audit_write_failures', {
      description: 'Audit lines that could not be written',
    })
    .addCallback((result) => result.observe(auditFailures));
  const rateLimited = meter.createCounter('codec_rate_limited', {
    description: 'Requests that got 429, by the rate limit that they exceeded',
  });
  for (const limit of Object.values(limitLabels)) rateLimited.add(0, { limit });
  // Denials have a separate counter, because in the histogram a burst could be the first value of a series,
  // and Prometheus would then compute no increase.
  const denied = meter.createCounter('codec_requests_denied', {
    description: 'Requests refused with 401 (no valid token) or 403 (such as no permission)',
  });
  for (const status of DENIED) denied.add(0, { status });
  const objects = meter.createCounter('codec_storage_objects', {
    description: 'Objects of external storage that were read',
  });
  const objectBytes = meter.createCounter('codec_storage_bytes', {
    description: 'Bytes of the objects that were read from external storage',
  });
  const objectFailures = meter.createCounter('codec_storage_failures', {
    description: 'References to external storage whose object was not read, by reason code',
  });
  if (memory !== undefined) memoryMetrics(meter, memory);
  processMetrics(meter);

  return {
    codec,
    request: ({ method, route, status, ms }) => {
      requests.record(ms / 1_000, { method: knownMethod(method), route, status });
      if (DENIED.includes(status)) denied.add(1, { status });
    },
    streamOpened: () => {
      open += 1;
      let isOpen = true;
      return () => {
        if (isOpen) open -= 1;
        isOpen = false;
      };
    },
    rateLimited: (limit) => rateLimited.add(1, { limit: limitLabels[limit] }),
    followAudit: (head) =>
      meter
        .createObservableGauge('codec_audit_sequence', {
          description: "Sequence number of the audit's last line",
        })
        .addCallback((result) => result.observe(head().seq)),
    followKeyStates: (latest) => keyStateMetrics(meter, latest),
    followScans: (scans) => scanMetrics(meter, scans),
    auditFailed: () => void (auditFailures += 1),
    storage: {
      objectRead: (bytes) => {
        objects.add(1);
        objectBytes.add(bytes);
      },
      objectFailed: (code) => objectFailures.add(1, { code }),
    },
    text: async () => {
      codec.report();
      return serializer.serialize((await exporter.collect()).resourceMetrics);
    },
  };
}

/** Returns a meter for `reportMetrics`. */
const codecMeter = (meter: Meter): CodecMeter => ({
  createCounter: (name, _unit, description) => meter.createCounter(name, { description }),
  createHistogram: (name, _valueType, _unit, description) =>
    meter.createHistogram(name, { description, advice: { explicitBucketBoundaries: KMS_BUCKETS } }),
  createGauge: (name, _valueType, _unit, description) => {
    const gauge = meter.createGauge(name, { description });
    return { set: (value, labels) => gauge.record(value, labels) };
  },
});

function memoryMetrics(meter: Meter, memory: MemoryUse): void {
  meter
    .createObservableGauge('codec_memory_budget_bytes', {
      description: 'Memory that all requests in flight may hold in total',
    })
    .addCallback((result) => result.observe(memory.bytes));
  meter
    .createObservableGauge('codec_memory_in_use_bytes', {
      description: 'Estimated memory that requests in flight hold',
    })
    .addCallback((result) => result.observe(memory.inUse));
  meter
    .createObservableCounter('codec_memory_waits', { description: 'Streams that waited for memory' })
    .addCallback((result) => result.observe(memory.waits));
  meter
    .createObservableCounter('codec_memory_refusals', {
      description: 'Requests and payloads refused because of the memory that they would need',
    })
    .addCallback((result) => {
      for (const [code, count] of Object.entries(memory.refusals)) result.observe(count, { code });
    });
}

const COLLECTIONS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/** Adds Prometheus' standard process metrics, the event loop's delay and V8's garbage collections. */
function processMetrics(meter: Meter): void {
  const gauge = (name: string, description: string, read: () => number): void =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));

  meter
    .createObservableCounter('process_cpu_seconds', { description: 'User and system CPU time' })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
  const started = Date.now() / 1_000 - process.uptime();
  gauge('process_start_time_seconds', 'Start time of the process since 1970', () => started);
  gauge('process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss());
  gauge('nodejs_heap_used_bytes', 'V8 heap in use', () => process.memoryUsage().heapUsed);
  gauge(
    'nodejs_external_memory_bytes',
    'Memory of buffers outside the V8 heap',
    () => process.memoryUsage().external,
  );

  // Many major collections per second indicate that the heap is too small: see docs/limits.md.
  const collections = new Map(Object.values(COLLECTIONS).map((kind) => [kind, 0]));
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const kind = kindOf(entry);
      if (kind !== undefined) collections.set(kind, (collections.get(kind) ?? 0) + 1);
    }
  }).observe({ entryTypes: ['gc'] });
  meter
    .createObservableCounter('nodejs_gc_runs', { description: "V8's garbage collections, by kind" })
    .addCallback((result) => {
      for (const [kind, count] of collections) result.observe(count, { kind });
    });

  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  gauge(
    'nodejs_eventloop_delay_p99_seconds',
    'Event loop delay since the last scrape, 99th percentile',
    () => {
      const seconds = delay.percentile(99) / 1e9;
      delay.reset();
      return seconds;
    },
  );
}

function kindOf(entry: object): string | undefined {
  const detail: unknown = 'detail' in entry ? entry.detail : undefined;
  return typeof detail === 'object' && detail !== null && 'kind' in detail
    ? COLLECTIONS[Number(detail.kind)]
    : undefined;
}
