/** The fields by which requests name what they are about, outermost first. */
const fields = ['name', 'parent', 'resource', 'location'] as const;

/** The resource name in a request, as it stands; empty if there is none. */
export function resourceOf(request: object): string {
  for (const field of fields) {
    const value: unknown = Reflect.get(request, field);
    if (typeof value === 'string') return value;
  }
  for (const field of ['cryptoKey', 'cryptoKeyVersion']) {
    const value: unknown = Reflect.get(request, field);
    if (typeof value === 'object' && value !== null) return resourceOf(value);
  }
  return '';
}

/** The project in a resource name, or nothing. */
export const projectOf = (resource: string): string => /^projects\/([^/]+)/.exec(resource)?.[1] ?? '';
