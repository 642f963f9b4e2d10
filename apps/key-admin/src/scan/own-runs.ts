import type { Payload, ProtoEvent } from '@temporal-kms/histories/payloads';
import { SCAN_WORKFLOW } from './on-temporal/contract.ts';

/** The metadata entry of the payloads of a scan's workflows. */
export const OWN_PAYLOAD = 'temporal-kms-scan';

/**
 * Whether a payload in plaintext belongs to a scan on Temporal, which encrypts nothing because it passes on no payload and no
 * workflow id. It needs no key. A message counts in any case, whatever its metadata is.
 */
export const isOwnPayload = ({ metadata }: Payload): boolean => metadata?.[OWN_PAYLOAD] !== undefined;

/** Whether a run has the type of a scan's workflow. Metadata alone proves nothing: each program can write it. */
export const isOwnType = (name: string | null | undefined): boolean => name === SCAN_WORKFLOW;

/** Whether the first event of a run names the type of a scan's workflow. */
export const hasOwnType = (first: ProtoEvent | undefined): boolean =>
  isOwnType(first?.workflowExecutionStartedEventAttributes?.workflowType?.name);

/** Whether a run is part of a scan on Temporal, and contains nothing that a scan counts: no message and no other payload. */
export const isOwnRun = (
  first: ProtoEvent | undefined,
  { traits }: { readonly traits: ReadonlyMap<string, number> },
): boolean => hasOwnType(first) && [...traits.keys()].every((text) => text === FAILURE);

/** The failures of a scan's activities have messages of this program. */
const FAILURE = JSON.stringify({ is: 'failure_in_plaintext' });
