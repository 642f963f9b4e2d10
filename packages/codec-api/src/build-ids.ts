/**
 * Returns the entries of `BuildIds` that name a build, such as `unversioned:1.4.2` or `pinned:orders:1.4.2`, in the order in
 * which the run used them. The result omits the entry `unversioned`, which names no build.
 * https://docs.temporal.io/search-attribute#default-search-attribute
 */
export function buildIdsOf({ BuildIds: ids }: Readonly<Record<string, unknown>>): readonly string[] {
  return [ids].flat().filter((id): id is string => typeof id === 'string' && id.includes(':'));
}
