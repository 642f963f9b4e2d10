import { fixed } from '../../make/bytes.ts';
import { NAMESPACE } from '../../make/v2.ts';

export const OTHER = 'shipping';
export const otherSalt = fixed('another salt', 16);
export const inWorkflow = (workflowId: string) => ({ namespace: NAMESPACE, workflowId });
export const cut = (bytes: number) => (data: Buffer) => data.subarray(0, bytes);

/** The offsets of the fields in a header without a workflow tag. */
export const at = {
  flags: 1,
  keyId: 2,
  keyVersion: 10,
  namespaceTag: 14,
  salt: 30,
  commitment: 46,
  n: 62,
  wrapped: 64,
  nonce: 184,
} as const;
