/** The address of a run. */
export interface RunAddress {
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
  /** The history file, if the run comes from a file instead of the server. Each opened file has its own id. */
  readonly file?: { readonly id: number; readonly name: string };
  /** Set if this is the address of a schedule, whose id is then in `workflowId`. */
  readonly schedule?: true;
}

/* Paths of the history API */

export const namespacePath = (namespace: string) => `/namespaces/${encodeURIComponent(namespace)}`;
export const workflowsPath = (namespace: string) => `${namespacePath(namespace)}/workflows`;

export const runPath = ({ namespace, workflowId, runId }: RunAddress) =>
  `${workflowsPath(namespace)}/${encodeURIComponent(workflowId)}/runs/${encodeURIComponent(runId)}`;
