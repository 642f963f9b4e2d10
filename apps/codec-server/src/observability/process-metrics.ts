import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';

const COLLECTIONS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/** Adds Prometheus' standard process metrics, the event loop's delay and V8's garbage collections. */
export function processMetrics(meter: Meter): void {
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

  // A heap that is too small shows as many major collections per second: see docs/operations.md.
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
