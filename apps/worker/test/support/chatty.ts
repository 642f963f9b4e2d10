/* oxlint-disable no-console -- the test checks the console's output */

/** A workflow that prints. */
export function chatty(): Promise<void> {
  console.log('from the workflow\nsecond line');
  console.error('loudly');
  return Promise.resolve();
}
