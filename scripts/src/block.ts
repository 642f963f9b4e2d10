const never = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the event loop like a long computation (such as a large `JSON.parse`), but uses no CPU time. */
export function block(milliseconds: number): void {
  Atomics.wait(never, 0, 0, milliseconds);
}
