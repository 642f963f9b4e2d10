import type { Payload, ProtoEvent } from '@temporal-kms/histories/payloads';
import { SCAN_WORKFLOW } from './on-temporal/contract.ts';

/** The metadata entry that marks payloads in a scan's workflows. */
export const OWN_PAYLOAD = 'temporal-kms-scan';

/**
 * Whether a plaintext payload belongs to a scan on Temporal. A scan on Temporal encrypts nothing and needs no key,
 * because its own payloads contain no other workflow's payload and no workflow id. An encrypted payload always counts,
 * even with the mark in its metadata.
 */
export const isOwnPayload = ({ metadata }: Payload): boolean => metadata?.[OWN_PAYLOAD] !== undefined;

/**
 * Whether a run has the type of a scan's workflow. A mark in the metadata is not sufficient, because any program can
 * write metadata.
 */
export const isOwnType = (name: string | null | undefined): boolean => name === SCAN_WORKFLOW;

/** Whether the first event of a run names the type of a scan's workflow. */
export const hasOwnType = (first: ProtoEvent | undefined): boolean =>
  isOwnType(first?.workflowExecutionStartedEventAttributes?.workflowType?.name);

/** Whether a run is part of a scan on Temporal, and contains nothing that a scan must count. */
export const isOwnRun = (
  first: ProtoEvent | undefined,
  { traits }: { readonly traits: ReadonlyMap<string, number> },
): boolean => hasOwnType(first) && [...traits.keys()].every((text) => text === FAILURE);

/**
 * The trait of failures in a scan's own workflow. This program writes the messages of these failures in
 * plaintext.
 */
const FAILURE = JSON.stringify({ is: 'failure_in_plaintext' });
