import type { Meter } from '@opentelemetry/api';

interface Count {
  count: number;
}

/**
 * A counter for what happens once a payload: adding costs two look-ups in maps, where OpenTelemetry's own counters sort
 * and print their labels each time. It is read when somebody asks for the metrics.
 */
export class Counts {
  readonly #counts = new Map<string, Map<string, Count>>();

  /** @param labels one or two */
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

  /** Values of the labels, in their order; from closed lists, or each caller could add a time series. */
  add(first: string, second = ''): void {
    let counts = this.#counts.get(first);
    if (counts === undefined) this.#counts.set(first, (counts = new Map()));
    const known = counts.get(second);
    if (known === undefined) counts.set(second, { count: 1 });
    else known.count += 1;
  }
}
