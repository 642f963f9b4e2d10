import {
  countReasons,
  partsOfRef,
  type PayloadRef,
  payloadRefOf,
  type ReasonCounts,
} from '@temporal-kms/codec-api';
import type { FileWorkflow } from '@temporal-kms/histories/files';
import {
  eventWriter,
  exportEnd,
  exportStart,
  type Payload,
  payloadToJson,
  unreadablePayload,
  unreadableValue,
} from '@temporal-kms/histories/payloads';
import { bodyOf, readableText } from '@temporal-kms/histories/readable';
import { workflowPayloads } from '../payload-files/workflow-payloads.ts';
import type { Input } from '../payload-files/parse-input.ts';
import { audited, type Auditing } from './audited.ts';
import type { Decrypted, DecryptCounts, Decryptor } from './decryptor.ts';
import type { FileAuditIntent } from './file-audit.ts';

export const outputForms = ['readable', 'decoded', 'raw'] as const;
export type OutputForm = (typeof outputForms)[number];

export interface DecryptInputOptions extends Auditing {
  /** The input's name in messages. */
  readonly name: string;
  readonly input: Input;
  readonly form: OutputForm;
  readonly intent: Omit<FileAuditIntent, 'operation' | 'digests' | 'refs'>;
  /** Receives a part of the plaintext, once the audit contains the part's outcome. */
  readonly write: (part: string | Uint8Array) => void;
}

/**
 * Decrypts an input and writes the plaintext. A payload that cannot be decrypted is marked with its reason code. The
 * audit contains an intent and an outcome for each history.
 * @throws CliError if Cloud KMS does not answer, if the audit cannot be written, or if an event is not in Temporal's
 * format. After such an error, no part of the history is written
 */
export async function decryptInput(options: DecryptInputOptions): Promise<DecryptCounts> {
  const { input } = options;
  if (input.kind === 'payloads') return await decryptPayloads(options, input.payloads);
  const totals: { payloads: number; readonly unreadable: ReasonCounts } = { payloads: 0, unreadable: {} };
  for (const workflow of input.file.workflows) {
    const { payloads, unreadable } = await decryptWorkflow(options, workflow);
    totals.payloads += payloads;
    countReasons(totals.unreadable, unreadable);
  }
  return totals;
}

async function decryptPayloads(
  options: DecryptInputOptions,
  payloads: readonly Payload[],
): Promise<DecryptCounts> {
  const { form, intent } = options;
  return await written(options, { ...intent, operation: 'decode' }, payloads, async (decryptor) => {
    const results: Decrypted[] = [];
    for (const payload of payloads) {
      const { workflowId } = intent;
      results.push(await decryptor.decrypt({ payload, encryptable: true, workflowId }));
    }
    const [first] = results;
    if (form === 'raw') return first?.ok ? [bodyOf(first.payload).data] : [];
    const texts = results.map((result, n) => payloadText(form, result, payloadRefOf(0, n)));
    return [texts.length === 1 ? `${texts[0] ?? ''}\n` : `{"payloads":[\n${texts.join(',\n')}\n]}\n`];
  });
}

async function decryptWorkflow(options: DecryptInputOptions, workflow: FileWorkflow): Promise<DecryptCounts> {
  const { name, intent } = options;
  const { namespace } = intent;
  const form = options.form === 'decoded' ? 'decoded' : 'readable';
  const workflowId = intent.workflowId ?? workflow.workflowId;
  const { runId } = workflow;
  const stored = function* (): Generator<Payload, void> {
    for (const { found } of workflowPayloads(name, workflow, namespace))
      for (const { payload } of found) yield payload;
  };
  const own: FileAuditIntent = { ...intent, operation: 'export', workflowId, runId };
  return await written(options, own, stored(), async (decryptor) => {
    const parts = [exportStart(form, { namespace, workflowId: workflowId ?? '', runId: runId ?? '' })];
    const write = eventWriter(form);
    let events = 0;
    for (const { event, found } of workflowPayloads(name, { ...workflow, workflowId }, namespace)) {
      const text = await write(event, async (_, ref) => {
        const one = found[partsOfRef(ref).n];
        if (one === undefined) throw new RangeError(`The payload ${ref} was not found.`);
        const { payload, encryptable, context } = one;
        const result = await decryptor.decrypt({ payload, encryptable, workflowId: context.workflowId });
        return payloadText(form, result, ref);
      });
      parts.push(events === 0 ? '\n' : ',\n', ...(typeof text === 'string' ? [text] : text));
      events += 1;
    }
    parts.push(exportEnd(form, { events, ...decryptor.counts() }));
    return parts;
  });
}

function payloadText(form: 'readable' | 'decoded', result: Decrypted, ref: PayloadRef): string {
  if (form === 'decoded')
    return JSON.stringify(result.ok ? payloadToJson(result.payload) : unreadablePayload(ref, result));
  return result.ok ? readableText(bodyOf(result.payload)) : JSON.stringify(unreadableValue(ref, result));
}

async function written(
  { codec, audit, storage, write }: DecryptInputOptions,
  intent: FileAuditIntent,
  payloads: Iterable<Payload>,
  decrypt: (decryptor: Decryptor) => Promise<readonly (string | Uint8Array)[]>,
): Promise<DecryptCounts> {
  const { result, counts } = await audited({ codec, audit, storage }, intent, payloads, decrypt);
  for (const part of result) write(part);
  return counts;
}
