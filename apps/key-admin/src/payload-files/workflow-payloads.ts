import { type FileWorkflow, HistoryFileError } from '@temporal-kms/histories/files';
import { protoEvent } from '@temporal-kms/histories/proto';
import {
  eventPayloads,
  type ProtoEvent,
  type StoredPayload,
  workflowContext,
} from '@temporal-kms/histories/payloads';
import { CliError } from '../cli/cli-error.ts';

/** An event in a file, and the event's payloads, each with the workflow for which it was encrypted. */
interface FileEvent {
  readonly eventId: number;
  readonly event: ProtoEvent;
  readonly found: readonly StoredPayload[];
}

/**
 * Yields the events of a workflow in a file.
 * @param namespace the payloads' namespace, if known
 * @throws CliError `data` if an event is not in Temporal's format
 */
export function* workflowPayloads(
  name: string,
  workflow: FileWorkflow,
  namespace = '',
): Generator<FileEvent, void> {
  const home = workflowContext({ namespace, workflowId: workflow.workflowId ?? '' });
  for (let eventId = 1; eventId <= workflow.length; eventId += 1) {
    try {
      const event = protoEvent(workflow.event(eventId), workflow.encoding);
      yield { eventId, event, found: eventPayloads(event, home) };
    } catch (error) {
      if (!(error instanceof HistoryFileError)) throw error;
      throw new CliError('data', `${name}: event ${eventId}: ${error.message}`, [], error);
    }
  }
}
