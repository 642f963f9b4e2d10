/**
 * Returns a function that creates one store per person and keeps it, so that a person who returns to a page
 * finds the earlier results.
 */
export function perPerson<Source extends { readonly reveals: object }, Store>(
  create: (source: Source) => Store,
): (source: Source) => Store {
  const stores = new WeakMap<Source['reveals'], Store>();
  return (source) => {
    const store = stores.get(source.reveals) ?? create(source);
    stores.set(source.reveals, store);
    return store;
  };
}
