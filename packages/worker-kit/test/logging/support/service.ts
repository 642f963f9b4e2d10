import * as nexus from 'nexus-rpc';

/** A Nexus service whose only operation fails. */
export const vault = nexus.service('vault', { open: nexus.operation<string, string>() });
