import { payloadRefOf } from '@temporal-kms/codec-api';
import type { HistoryFile } from '@temporal-kms/histories/files';
import { workflowPayloads } from '../payload-files/workflow-payloads.ts';
import type { KnownNames, PayloadDescription } from './describe-payload.ts';
import type { DescribePayload } from './stored-payload.ts';
import { BranchKeys, type BranchKeyRow } from './branch-keys.ts';
import { Summary, type SummaryRow } from './summary.ts';

export interface InspectedPayload extends PayloadDescription {
  /** The payload's ref `EVENT:N`, as in the history API. */
  readonly ref: string;
  readonly path: string;
  /**
   * Whether an SDK could have encrypted the payload; false in headers and in fields that Temporal's Core SDK writes.
   */
  readonly encryptable: boolean;
}

export interface InspectedWorkflow {
  readonly workflowId: string | null;
  readonly runId: string | null;
  readonly type: string | null;
  readonly events: number;
  readonly payloads: number;
  readonly summary: readonly SummaryRow[];
  /** The branch keys of the history's `envelope-v2` messages, ordered by their first event. */
  readonly branchKeys: readonly BranchKeyRow[];
  /** The plaintext payloads that SDKs could have encrypted. */
  readonly plaintext: readonly Pick<InspectedPayload, 'ref' | 'path' | 'encoding' | 'bytes'>[];
}

/** Maximum number of plaintext payloads that a report lists for each workflow. */
const MAX_PLAINTEXT = 100;

/**
 * Describes the payloads of each workflow in a file. Holds only one event in memory at a time.
 * @param visit called for each payload
 * @throws CliError `data` if an event is not in Temporal's format
 */
export async function* inspectHistory(
  name: string,
  { workflows }: HistoryFile,
  known: Omit<KnownNames, 'workflowId'>,
  describe: DescribePayload,
  visit: (payload: InspectedPayload) => void = () => undefined,
): AsyncGenerator<InspectedWorkflow, void> {
  for (const workflow of workflows) {
    const summary = new Summary();
    const branchKeys = new BranchKeys();
    const plaintext: InspectedPayload[] = [];
    let payloads = 0;
    for (const { eventId, found } of workflowPayloads(name, workflow)) {
      for (const [n, { payload, path, encryptable, context }] of found.entries()) {
        const workflowId = context.workflowId === '' ? undefined : context.workflowId;
        const described = await describe(payload, { ...known, workflowId });
        const inspected = { ref: payloadRefOf(eventId, n), path, encryptable, ...described };
        summary.add(eventId, described);
        branchKeys.add(eventId, described);
        payloads += 1;
        if (described.state === 'plaintext' && encryptable && plaintext.length < MAX_PLAINTEXT)
          plaintext.push(inspected);
        visit(inspected);
      }
    }
    yield {
      workflowId: workflow.workflowId ?? null,
      runId: workflow.runId ?? null,
      type: workflow.type ?? null,
      events: workflow.length,
      payloads,
      summary: summary.rows(),
      branchKeys: branchKeys.rows(),
      plaintext: plaintext.map(({ ref, path, encoding, bytes }) => ({ ref, path, encoding, bytes })),
    };
  }
}
