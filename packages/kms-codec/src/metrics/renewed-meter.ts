import type { CodecMeter, SeriesLabels } from './report.ts';

/** A meter whose time series continue when the underlying meter is replaced. */
export interface RenewedMeter extends CodecMeter {
  /**
   * If the current meter is new, writes all time series to it. `reportMetrics` calls this method every
   * second.
   */
  renew(): void;
}

/** Writes an instrument's time series to a meter, unless the last write already went to the same meter. */
interface Instrument {
  renew(meter: CodecMeter): void;
}

/**
 * Returns a meter that forwards to whichever meter `current()` returns. Temporal's Runtime, with its meter
 * and metrics, ends when its last connection closes. This happens whenever `runWorker` replaces a worker or
 * waits for Cloud KMS. The next Runtime has a new meter. The returned meter writes the counters' totals and
 * the gauges' last values to the new meter. Histograms start from zero.
 *
 * @param current returns the current Runtime's meter, and creates the Runtime if there is none. If `current`
 *   throws, for example because the previous Runtime's port is not free yet, the time series are written
 *   later
 * @example
 * const metrics = reportMetrics(renewedMeter(() => Runtime.instance().metricMeter));
 */
export function renewedMeter(current: () => CodecMeter): RenewedMeter {
  const currentOrNone = (): CodecMeter | undefined => {
    try {
      return current();
    } catch {
      return undefined;
    }
  };
  const instruments: Instrument[] = [];
  const kept = <I>(
    create: (meter: CodecMeter) => I,
    write: (instrument: I, value: number, labels: SeriesLabels) => void,
    next: (value: number, before: number) => number | undefined,
  ): ((value: number, labels: SeriesLabels) => void) => {
    const series = new Map<string, { readonly labels: SeriesLabels; value: number }>();
    let written: { readonly meter: CodecMeter; readonly instrument: I } | undefined;
    const renew = (meter: CodecMeter): I => {
      if (written?.meter === meter) return written.instrument;
      const instrument = create(meter);
      written = { meter, instrument };
      for (const { labels, value } of series.values()) write(instrument, value, labels);
      return instrument;
    };
    instruments.push({ renew });
    return (value, labels) => {
      const meter = currentOrNone();
      const instrument = meter && renew(meter);
      const name = JSON.stringify(labels);
      const known = series.get(name);
      const after = next(value, known?.value ?? 0);
      if (known !== undefined && after !== undefined) known.value = after;
      else if (after !== undefined) series.set(name, { labels, value: after });
      if (instrument !== undefined) write(instrument, value, labels);
    };
  };
  return {
    createCounter: (name, unit, description) => ({
      add: kept(
        (meter) => meter.createCounter(name, unit, description),
        (counter, value, labels) => counter.add(value, labels),
        (value, before) => before + value,
      ),
    }),
    createGauge: (name, type, unit, description) => ({
      set: kept(
        (meter) => meter.createGauge(name, type, unit, description),
        (gauge, value, labels) => gauge.set(value, labels),
        (value) => value,
      ),
    }),
    createHistogram: (name, type, unit, description) => ({
      record: kept(
        (meter) => meter.createHistogram(name, type, unit, description),
        (histogram, value, labels) => histogram.record(value, labels),
        () => undefined,
      ),
    }),
    renew: () => {
      const meter = currentOrNone();
      if (meter !== undefined) for (const instrument of instruments) instrument.renew(meter);
    },
  };
}
