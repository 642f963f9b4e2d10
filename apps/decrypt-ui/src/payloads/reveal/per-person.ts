/** Returns a function that creates one store for each person at the page, so that Back finds its results again. */
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
