import type { WorkflowDescription } from '@temporal-kms/codec-api';

/** Returns the payloads of a run's memo. */
export const memoPayloads = ({ payloads }: WorkflowDescription) =>
  payloads.filter(({ path }) => /(^|\.)memo\./.test(path));
