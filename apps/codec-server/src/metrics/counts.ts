import type { Attributes, Meter } from '@opentelemetry/api';

/**
 * A counter for what happens once a payload: adding costs one look-up in a map, where OpenTelemetry's own counters sort
 * and print their labels each time (1 µs). They are read when somebody asks for the metrics.
 */
export class Counts<Label extends string> {
  readonly #labels: readonly Label[];
  readonly #byValues = new Map<string, { readonly labels: Attributes; count: number }>();

  constructor(meter: Meter, name: string, description: string, labels: readonly Label[]) {
    this.#labels = labels;
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      for (const { labels: values, count } of this.#byValues.values()) result.observe(count, values);
    });
  }

  /** @param values of the labels, in their order; from closed lists, or each caller could add a time series */
  add(...values: readonly string[]): void {
    const name = values.join('\n');
    const known = this.#byValues.get(name);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    const labels = Object.fromEntries(this.#labels.map((label, index) => [label, values[index] ?? '']));
    this.#byValues.set(name, { labels, count: 1 });
  }
}
