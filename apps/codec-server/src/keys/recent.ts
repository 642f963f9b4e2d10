/** The last so many of something, the newest first. */
export class Recent<T> {
  readonly #most: number;
  #items: T[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  add(item: T): void {
    this.#items = [item, ...this.#items.slice(0, this.#most - 1)];
  }

  get all(): readonly T[] {
    return this.#items;
  }
}
