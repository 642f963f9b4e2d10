import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { createTestCodec } from '@temporal-kms/kms-codec/testing';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import type { temporal } from '@temporalio/proto';

/** The folder with the recorded histories, which `record-histories.ts` writes. */
export const recordedDir = join(import.meta.dirname, '..', 'histories');

/** Every recorded input contains this name. */
export const RECORDED_NAME = 'Recorded Person';

/** Returns the codec that encrypted the recorded histories. The codec's key is only for tests. */
export const recordedCodec = (keyText = 'recorded histories of the samples'): KmsCodec =>
  createTestCodec({ keyText, namespace: 'default' });

export interface Recorded {
  readonly file: string;
  readonly text: string;
  readonly history: temporal.api.history.v1.IHistory;
  readonly workflowId: string;
  readonly workflowType: string;
}

/** Reads every recorded history. */
export async function readRecorded(): Promise<Recorded[]> {
  const files = (await readdir(recordedDir)).toSorted();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(recordedDir, file), 'utf8');
      const history: temporal.api.history.v1.IHistory = historyFromJSON(JSON.parse(text));
      const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
      return {
        file,
        text,
        history,
        workflowId: started?.workflowId ?? '',
        workflowType: started?.workflowType?.name ?? '',
      };
    }),
  );
}
