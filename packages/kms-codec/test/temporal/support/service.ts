import * as nexus from 'nexus-rpc';

/** A Nexus service whose handler stands in another namespace than its callers. */
export const shipping = nexus.service('shipping', {
  /** Answers at once. */
  quote: nexus.operation<string, string>(),
  /** Runs a workflow there. */
  ship: nexus.operation<string, string>(),
});
