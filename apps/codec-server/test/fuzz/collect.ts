/*
 * Loaded before the server (`node --expose-gc --import`): on a message from its parent it collects what is garbage and
 * tells how much is left.
 */
process.on('message', () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send?.({ used: heapUsed + external, rss });
});
// The parent's channel alone must not keep the server running.
process.channel?.unref();
