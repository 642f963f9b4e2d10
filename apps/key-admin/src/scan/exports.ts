import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileWorkflow, HistoryFileError, readHistoryFile } from '@temporal-kms/histories/files';
import { protoEvent } from '@temporal-kms/histories/proto';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import { CliError } from '../cli/cli-error.ts';
import { listObjects } from '../google/storage.ts';
import { readBytes } from '../payload-files/read-bytes.ts';
import { type HistorySummary, SummaryBuilder } from './history-summary.ts';
import { hasOwnType } from './own-runs.ts';
import { addEvents, eventTime } from './read-run.ts';
import { ScanError } from '../temporal/scan-source.ts';
import type { TalliedHistory } from './scan-part.ts';

/** Files with histories, for example the files of Temporal Cloud's Workflow History Export. */
export interface ExportSource {
  readonly location: string;
  /** @throws ScanError */
  files(): AsyncIterable<ExportFile>;
}

interface ExportFile {
  readonly name: string;
  /** @throws ScanError */
  read(): Promise<Uint8Array>;
}

export interface ExportedHistory {
  readonly history: TalliedHistory;
  readonly summary: HistorySummary;
}

export interface ExportVisitor {
  readonly history: (history: ExportedHistory) => Promise<void>;
  /** Called for a file that is not a history or is damaged. */
  readonly unreadable: (file: string, reason: string) => void;
}

/**
 * Reads every file of an export. Continues after an unreadable file. Reports an export without files as
 * unreadable.
 * @throws ScanError if the files cannot be listed
 */
export async function readExports(source: ExportSource, visit: ExportVisitor): Promise<void> {
  let files = 0;
  for await (const file of source.files()) {
    files += 1;
    try {
      const { workflows } = readHistoryFile(await file.read());
      for (const workflow of workflows) await visit.history(summaryOf(workflow, file.name));
    } catch (error) {
      if (!(error instanceof HistoryFileError) && !(error instanceof ScanError)) throw error;
      visit.unreadable(file.name, error.message.replace(`${file.name}: `, ''));
    }
  }
  if (files === 0) visit.unreadable(source.location, 'The folder contains no file.');
}

function summaryOf(workflow: FileWorkflow, file: string): ExportedHistory {
  const { workflowId = file, runId, startedAt, length, encoding, event } = workflow;
  const builder = new SummaryBuilder({ isOwnRun: length > 0 && hasOwnType(protoEvent(event(1), encoding)) });
  for (let eventId = 1; eventId <= length; eventId += 1) {
    addEvents(builder, [protoEvent(event(eventId), encoding)], workflowId);
  }
  const last = protoEvent(event(length), encoding);
  const history: TalliedHistory = {
    workflowId,
    ...(runId === undefined ? {} : { runId }),
    startTime: startedAt,
    // A file does not change, so the time of its last event counts as the close time, even if no event closes the run.
    closeTime: eventTime(last),
  };
  return { history, summary: builder.build() };
}

/** Returns the files in `FOLDER` or `gs://BUCKET/PREFIX` and its subfolders, except hidden files. */
export function exportSource(location: string): ExportSource {
  const names = location.startsWith('gs://') ? listObjects(location) : listFiles(location);
  return {
    location,
    async *files() {
      try {
        for await (const name of names) yield { name, read: () => read(name) };
      } catch (error) {
        throw scanError(location, error);
      }
    },
  };
}

async function* listFiles(folder: string): AsyncGenerator<string, void> {
  for await (const entry of await opendir(folder, { recursive: true })) {
    if (!entry.isDirectory() && !entry.name.startsWith('.')) yield join(entry.parentPath, entry.name);
  }
}

const noInput = { stdin: () => process.stdin, isTerminal: true };

async function read(name: string): Promise<Uint8Array> {
  try {
    return (await readBytes(name, noInput)).bytes;
  } catch (error) {
    throw scanError(name, error);
  }
}

function scanError(location: string, error: unknown): ScanError {
  if (error instanceof ScanError) return error;
  if (error instanceof CliError)
    return new ScanError(
      error.exit === 'notPermitted' ? 'not_permitted' : 'unreadable',
      error.message,
      error,
    );
  const code = codeOf(error) ?? 'it cannot be read';
  return new ScanError('unreadable', `${location}: ${code}`, error);
}
