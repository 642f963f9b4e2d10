import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writePrivateFile } from '../../cli/private-file.ts';
import { quote } from '../../cli/quote.ts';
import type { BeforeRuns } from '../remote-runs.ts';
import { createStateFolder, notKept, readState } from '../state.ts';

/** The settings of a scan. */
interface ScanSettings {
  /** The header ids of the namespace's configured crypto keys. */
  readonly keyIds: readonly string[];
  readonly settleMs: number;
  readonly rps: number;
  readonly taskQueue: string;
}

/** A scan on Temporal that has not ended, as it is written to a file in the state folder. */
export interface KeptScan extends ScanSettings {
  /** The version of the file's format. */
  readonly form: 1;
  /** The scan's id, which the input of the scan's workflow contains. */
  readonly scanId: string;
  readonly before: BeforeRuns;
}

/**
 * Maximum age of a completed scan, in milliseconds. An older result would say little about the namespace's present state.
 */
const MAX_AGE_MS = 86_400_000;

/** Whether a command that starts now can use the result of a kept scan whose workflow has completed. */
export const isUsable = (kept: KeptScan, wanted: ScanSettings, now: number): boolean =>
  now - kept.before.started <= MAX_AGE_MS && hasSameKeys(kept, wanted) && kept.settleMs === wanted.settleMs;

/**
 * Returns the settings that a command needs in order to continue a scan in progress, as text for a message, or
 * undefined if the command already has them.
 */
export function otherSettings(kept: KeptScan, wanted: ScanSettings): string | undefined {
  if (!hasSameKeys(kept, wanted)) return 'the crypto keys that were configured then';
  const { rps, taskQueue, settleMs } = kept;
  return rps === wanted.rps && taskQueue === wanted.taskQueue && settleMs === wanted.settleMs
    ? undefined
    : `--rps ${rps} --task-queue ${quote(taskQueue)} --settle ${settleMs / 1000}`;
}

/** Whether both scans have the same configured keys, which determine which keys count as unknown. */
const hasSameKeys = ({ keyIds: a }: ScanSettings, { keyIds: b }: ScanSettings): boolean =>
  JSON.stringify(a.toSorted()) === JSON.stringify(b.toSorted());

/**
 * Returns the scan in a file, or undefined if the file does not exist or is damaged.
 * @throws CliError if others can write the file
 */
export async function readKeptScan(path: string): Promise<KeptScan | undefined> {
  const read = async (): Promise<unknown> => {
    await createStateFolder(dirname(path));
    return await readState(path);
  };
  const kept = await read().catch(notKept);
  return isKeptScan(kept) ? kept : undefined;
}

/** @throws CliError */
export async function keepScan(path: string, scan: KeptScan): Promise<void> {
  await writePrivateFile(path, JSON.stringify(scan)).catch(notKept);
}

export const forgetScan = (path: string): Promise<void> => rm(path, { force: true });

const isKeptScan = (kept: unknown): kept is KeptScan =>
  typeof kept === 'object' &&
  kept !== null &&
  'form' in kept &&
  kept.form === 1 &&
  'scanId' in kept &&
  typeof kept.scanId === 'string' &&
  'keyIds' in kept &&
  Array.isArray(kept.keyIds) &&
  'settleMs' in kept &&
  typeof kept.settleMs === 'number' &&
  'rps' in kept &&
  typeof kept.rps === 'number' &&
  'taskQueue' in kept &&
  typeof kept.taskQueue === 'string' &&
  'before' in kept &&
  typeof kept.before === 'object';
