/**
 * A map that drops the entries that were not used for the longest time when the sizes of all entries exceed the limit. It
 * does not take an entry of more than a quarter of the limit. The page does not use `lru-cache`, because that is 6 KiB of
 * JavaScript on every page.
 */
export function createSizedLru<V>(maxSize: number, sizeOf: (value: V) => number) {
  /** In the order of their last use: a Map keeps the order of insertion. */
  const entries = new Map<string, { readonly value: V; readonly size: number }>();
  let total = 0;

  function remove(key: string): void {
    total -= entries.get(key)?.size ?? 0;
    entries.delete(key);
  }

  return {
    get(key: string): V | undefined {
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    /** Reads an entry without counting as a use of it. */
    peek: (key: string): V | undefined => entries.get(key)?.value,
    set(key: string, value: V): void {
      remove(key);
      const size = sizeOf(value);
      if (size > maxSize / 4) return;
      entries.set(key, { value, size });
      total += size;
      for (const oldest of entries.keys()) {
        if (total <= maxSize) return;
        remove(oldest);
      }
    },
    delete: remove,
    /** The keys; entries may be deleted while they are read. */
    keys: () => entries.keys(),
    clear(): void {
      entries.clear();
      total = 0;
    },
    get size() {
      return total;
    },
  };
}
