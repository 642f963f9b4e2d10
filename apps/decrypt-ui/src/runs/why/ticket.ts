import { escapeInvisible, type WorkflowSummary } from '@temporal-kms/codec-api';
import { cardLines, explain, type ReadPayload, type WhyRun } from '@temporal-kms/histories/why';
import type { RunAddress } from '../../session/server/addresses.ts';
import type { Readings } from './use-readings.ts';

interface TicketSource extends Pick<Readings, 'lockOf'> {
  readonly address: RunAddress;
  readonly workflow: Pick<WorkflowSummary, 'type' | 'status'>;
  readonly run: Omit<WhyRun, 'read'>;
  /** Reads payloads again, so that the ticket omits payloads that have been hidden in the meantime. */
  readonly read: ReadPayload;
  /** The run page's address, without search parameters. */
  readonly link: string;
}

/** Returns the card as text for a ticket, including the run. */
export function ticketText({ address, workflow, run, read, lockOf, link }: TicketSource): string {
  const { namespace, workflowId, runId } = address;
  const head = `${workflow.type} ${workflowId}, ${workflow.status}, run ${runId}, namespace ${namespace}`;
  const explanation = explain({ ...run, read });
  const locks = new Set(explanation.refs.map(lockOf));
  locks.delete(undefined);
  const lines = cardLines(explanation, {
    status: run.status,
    now: run.now,
    howToReveal:
      locks.has('refused') && locks.size === 1
        ? 'To read the messages, you need the permission decode in this namespace.'
        : `${locks.has('locked') ? 'Reveal' : 'Open'} the run in the dashboard to read the messages.`,
  });
  return [escapeInvisible(head), link, '', ...lines].join('\n');
}
