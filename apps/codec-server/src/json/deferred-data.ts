const deferred = new WeakMap<object, Uint8Array>();

/** A multiple of three, so that the base64 of pieces is the base64 of the whole. */
const PIECE = 192 * 1024;

/** The size of data, in bytes, from which deferring it saves memory. */
export const LARGE_DATA = PIECE;

interface Line {
  readonly payload: { readonly data: string };
}

/**
 * Returns a line of a stream whose `payload.data` stays empty until the line is written. A string of many MiB and its copies
 * in JSON and in the socket would take several times the memory of the bytes.
 */
export function withDeferredData<T extends Line>(line: T, data: Uint8Array): T {
  deferred.set(line, data);
  return line;
}

/** Yields a value as a line of JSON, in pieces. */
export function* jsonLine(value: unknown): Generator<string, void> {
  const text = `${JSON.stringify(value)}\n`;
  const data = typeof value === 'object' && value !== null ? deferred.get(value) : undefined;
  if (data === undefined) {
    yield text;
    return;
  }
  // Quotation marks inside strings are escaped, and metadata precedes data.
  const at = text.lastIndexOf(EMPTY) + EMPTY.length - 1;
  yield text.slice(0, at);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (let from = 0; from < bytes.length; from += PIECE) yield bytes.toString('base64', from, from + PIECE);
  yield text.slice(at);
}

const EMPTY = '"data":""';
