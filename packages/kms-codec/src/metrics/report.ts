import type { KmsCodec } from '../codec.ts';
import { combineObservers, type Observer } from '../observer.ts';
import { EventCounter } from './event-counter.ts';
import {
  callsWaiting,
  counters,
  kmsCallDuration,
  keyGauges,
  storeFailing,
  workerReady,
  workerRestarts,
} from './definitions.ts';

/** Interval at which counters and gauges are written, in ms. */
const REPORT_MS = 1_000;

/** The labels of a time series. */
export type SeriesLabels = Record<string, string>;

/** The part of a meter that `reportMetrics` uses. Temporal's `MetricMeter` is assignable to this type. */
export interface CodecMeter {
  createCounter(
    name: string,
    unit: string | undefined,
    description: string,
  ): { add(value: number, labels: SeriesLabels): void };
  createHistogram(
    name: string,
    valueType: 'float',
    unit: string | undefined,
    description: string,
  ): { record(value: number, labels: SeriesLabels): void };
  createGauge(
    name: string,
    valueType: 'int' | 'float',
    unit: string | undefined,
    description: string,
  ): { set(value: number, labels: SeriesLabels): void };
  /** Called before each report. See `renewedMeter`. */
  renew?(): void;
}

/** Metrics of a codec (see {@link reportMetrics}). */
export interface CodecMetrics {
  /** Counts the codec's events. Pass this object to the codec as its `observer`. */
  readonly observer: Observer;
  /**
   * Reports the state of a codec's keys in the given namespaces, and creates those namespaces' counters with the
   * value 0. Events of other namespaces are counted under the label `other`.
   * @param codec the codec whose observer is `observer`
   */
  follow(codec: Pick<KmsCodec, 'keyState' | 'callsWaiting'>, namespaces: readonly string[]): void;
  /** Reports the restarts and readiness of a worker that `runWorker` runs. */
  followWorker(worker: {
    readiness(): { readonly status: 'ready' | 'degraded' | 'not_ready'; readonly restarts: number };
  }): void;
  /** Writes the current values. A timer calls this method every second. */
  report(): void;
  /** Writes the current values for the last time, and stops reporting. */
  stop(): void;
}

/**
 * Reports a codec's events and the state of its keys through a meter of Temporal's SDK. With the meter of a
 * worker's Runtime, the metrics appear in Prometheus or OpenTelemetry alongside the metrics of Temporal's
 * Core. docs/metrics.md lists the metrics. No label contains data from a payload. With `runWorker`, use {@link
 * renewedMeter}.
 *
 * @example
 * const metrics = reportMetrics(Runtime.instance().metricMeter);
 * const codec = loadKmsCodec({ observer: metrics.observer });
 * metrics.follow(codec, ['payments']);
 */
export function reportMetrics(meter: CodecMeter): CodecMetrics {
  // Only followed namespaces have their own label value, because a default rule covers any namespace, and
  // each label value creates a time series.
  const namespaces = new Set<string>();
  const label = (namespace: string): string => (namespaces.has(namespace) ? namespace : 'other');
  const counted = counters.map(
    (definition) =>
      new EventCounter(
        definition,
        meter.createCounter(definition.name, undefined, definition.description),
        label,
      ),
  );
  const gauge = ({ name, description }: { readonly name: string; readonly description: string }) =>
    meter.createGauge(name, 'float', undefined, description);

  const store = new StoreOutages(gauge(storeFailing));
  const waiting = gauge(callsWaiting);
  const codecs = new Set<Pick<KmsCodec, 'callsWaiting'>>();
  const writers: (() => void)[] = [
    () => meter.renew?.(),
    () => counted.forEach((one) => one.flush()),
    () => store.write(),
    () =>
      waiting.set(
        [...codecs].reduce((sum, codec) => sum + codec.callsWaiting, 0),
        {},
      ),
  ];
  const gauges = keyGauges.map((definition) => ({ definition, gauge: gauge(definition) }));
  const report = (): void => {
    for (const write of writers) write();
  };
  const timer = setInterval(report, REPORT_MS).unref();

  return {
    observer: combineObservers(
      ...counted.map((one) => one.observer),
      kmsCallDurations(meter),
      store.observer,
    ),
    follow: (codec, names) => {
      codecs.add(codec);
      for (const namespace of names) {
        if (namespaces.has(namespace)) continue;
        namespaces.add(namespace);
        for (const one of counted) one.start(namespace);
        writers.push(() => {
          const state = codec.keyState(namespace);
          for (const { definition, gauge: written } of gauges) {
            const value = definition.of(state);
            if (value !== undefined) written.set(value, { namespace });
          }
        });
      }
      report();
    },
    followWorker: (worker) => {
      const restarts = meter.createCounter(workerRestarts.name, undefined, workerRestarts.description);
      const ready = gauge(workerReady);
      let known = 0;
      writers.push(() => {
        const readiness = worker.readiness();
        restarts.add(readiness.restarts - known, {});
        known = readiness.restarts;
        ready.set(readiness.status === 'not_ready' ? 0 : 1, {});
      });
      report();
    },
    report,
    stop: () => {
      clearInterval(timer);
      report();
      writers.length = 0;
    },
  };
}

function kmsCallDurations(meter: CodecMeter): Observer {
  const { name, description, operation, code, seconds } = kmsCallDuration;
  const histogram = meter.createHistogram(name, 'float', undefined, description);
  return {
    kmsCall: (call) =>
      histogram.record(seconds(call), { [operation.name]: operation.of(call), [code.name]: code.of(call) }),
  };
}

const idOf = ({ namespace, key }: { readonly namespace?: string; readonly key?: string }): string =>
  `${namespace} ${key}`;

/** Tracks which branch-key store operations are failing. */
class StoreOutages {
  readonly observer: Observer;
  readonly #gauge: { set(value: number, labels: SeriesLabels): void };
  readonly #failing = new Map<string, Set<string>>(
    storeFailing.operations.map((operation) => [operation, new Set()]),
  );

  constructor(gauge: { set(value: number, labels: SeriesLabels): void }) {
    this.#gauge = gauge;
    this.observer = {
      branchKeyStoreFailed: (event) => void this.#failing.get(event.operation)?.add(idOf(event)),
      branchKeyStoreRecovered: (event) => void this.#failing.get(event.operation)?.delete(idOf(event)),
    };
  }

  write(): void {
    for (const [operation, ids] of this.#failing) this.#gauge.set(ids.size > 0 ? 1 : 0, { operation });
  }
}
