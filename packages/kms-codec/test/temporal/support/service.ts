import * as nexus from 'nexus-rpc';

/** A Nexus service whose handler may run in a different namespace from its callers. */
export const shipping = nexus.service('shipping', {
  /** A synchronous operation. */
  quote: nexus.operation<string, string>(),
  /** Runs a workflow in the handler's namespace. */
  ship: nexus.operation<string, string>(),
});
