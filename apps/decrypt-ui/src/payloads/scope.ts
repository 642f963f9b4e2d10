import type { RunAddress } from '../api/client.ts';

/** Start of every key under which a namespace's plaintext is kept. */
export const namespaceScope = (namespace: string) => `${JSON.stringify([namespace]).slice(0, -1)},`;

export const runScope = ({ namespace, workflowId, runId }: RunAddress) =>
  JSON.stringify([namespace, workflowId, runId]);
