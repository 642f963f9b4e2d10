import type { Observer } from '../observer.ts';
import type { CounterDefinition, EventOf, Label } from './definitions.ts';

interface Series {
  readonly labels: Record<string, string>;
  count: number;
}

/**
 * Counts events in memory, and adds the sums to a meter's counter at intervals. Calling the counter for each
 * event, and so for each payload, would be slow, because each call enters native code or serializes the
 * labels.
 */
export class EventCounter {
  readonly observer: Observer;
  readonly #definition: CounterDefinition;
  readonly #counter: { add(value: number, labels: Record<string, string>): void };
  /**
   * The counts by the first label's value, and then by the second label's value, which is empty if there is
   * no second label.
   */
  readonly #series = new Map<string, Map<string, Series>>();

  /** @param nameOf maps a namespace to the value of the label `namespace` */
  constructor(
    definition: CounterDefinition,
    counter: { add(value: number, labels: Record<string, string>): void },
    nameOf: (namespace: string) => string,
  ) {
    this.#definition = definition;
    this.#counter = counter;
    const [first, second] = definition.labels;
    const hasNamespace = first.name === 'namespace';
    const count = (event: EventOf<keyof Observer>): void => {
      if (definition.counts?.(event) === false) return;
      const value = first.of(event);
      this.#of(hasNamespace ? nameOf(value) : value, second?.of(event) ?? '').count += 1;
    };
    this.observer = { [definition.event]: count };
    if (!hasNamespace) this.#start(valuesOf(first));
  }

  /** Creates the time series of a namespace, with the value 0. */
  start(namespace: string): void {
    if (this.#definition.labels[0].name === 'namespace') this.#start([namespace]);
  }

  /** Adds the events that were counted since the previous flush to the meter's counter. */
  flush(): void {
    for (const some of this.#series.values()) {
      for (const series of some.values()) {
        if (series.count > 0) this.#counter.add(series.count, series.labels);
        series.count = 0;
      }
    }
  }

  #start(values: readonly string[]): void {
    const [, second] = this.#definition.labels;
    for (const value of values) {
      for (const other of second ? valuesOf(second) : ['']) {
        this.#counter.add(0, this.#of(value, other).labels);
      }
    }
  }

  #of(value: string, other: string): Series {
    let some = this.#series.get(value);
    if (some === undefined) this.#series.set(value, (some = new Map()));
    let series = some.get(other);
    if (series === undefined) {
      const [first, second] = this.#definition.labels;
      const labels = { [first.name]: value, ...(second && { [second.name]: other }) };
      some.set(other, (series = { labels, count: 0 }));
    }
    return series;
  }
}

const valuesOf = ({ values = [] }: Label<keyof Observer>): readonly string[] => values;
