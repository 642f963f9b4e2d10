import { ApplicationFailure } from '@temporalio/common';
import { ScanError } from '../../temporal/scan-source.ts';

/** Whether the error's message is meant for reports, and therefore contains no payload. */
export const isExpected = (error: unknown): error is ScanError => error instanceof ScanError;

/**
 * Returns the failure that Temporal stores for an error. Temporal stores messages, stacks and causes in
 * plaintext, so an unexpected error's details stay in the worker's log.
 */
export function toFailure(error: unknown): ApplicationFailure {
  if (!isExpected(error))
    return ApplicationFailure.create({
      type: 'unreadable',
      message: "Some runs could not be read: the worker's log contains the reason.",
    });
  const { kind: type, message } = error;
  return ApplicationFailure.create({ type, message, nonRetryable: type === 'not_permitted' });
}
