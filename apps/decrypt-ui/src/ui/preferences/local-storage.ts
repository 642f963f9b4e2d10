/** Returns the object that this browser keeps under a key of `localStorage`, or an empty one. The caller checks its fields. */
export function readStored(key: string): object {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(key) ?? '{}');
    return typeof found === 'object' && found !== null ? found : {};
  } catch {
    // The browser may forbid storage; every visit then starts with the defaults.
    return {};
  }
}

/** Keeps an object for later visits. It must contain no payloads and no tokens. */
export function writeStored(key: string, value: object): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Without storage the change lasts for this visit.
  }
}
