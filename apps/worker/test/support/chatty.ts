/* oxlint-disable no-console -- The test is about it. */

/** A workflow that prints. */
export function chatty(): Promise<void> {
  console.log('from the workflow\nsecond line');
  console.error('loudly');
  return Promise.resolve();
}
