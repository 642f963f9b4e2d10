const never = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the event loop as a long computation does, such as a large `JSON.parse`, but uses no core. */
export function block(milliseconds: number): void {
  Atomics.wait(never, 0, 0, milliseconds);
}
