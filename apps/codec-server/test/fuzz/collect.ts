/*
 * This module is loaded before the server (`node --expose-gc --import`). On a message from the parent
 * process, it collects garbage and reports how much memory is still in use.
 */
process.on('message', () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send?.({ used: heapUsed + external, rss });
});
// The channel to the parent must not keep the server running.
process.channel?.unref();
