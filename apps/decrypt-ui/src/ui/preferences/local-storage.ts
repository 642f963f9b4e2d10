/**
 * Returns the object stored under a `localStorage` key, or an empty object. The caller must validate the object's
 * fields.
 */
export function readStored(key: string): object {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(key) ?? '{}');
    return typeof found === 'object' && found !== null ? found : {};
  } catch {
    // If the browser forbids storage, every visit starts with the defaults.
    return {};
  }
}

/** Stores an object for later visits. The object must not contain payloads or tokens. */
export function writeStored(key: string, value: object): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Without storage, the change lasts only for this visit.
  }
}
