import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { quote } from '../../google/gcloud.ts';
import { checkOwnFile } from '../own-files.ts';
import type { BeforeRuns } from '../remote-runs.ts';
import { notKept } from '../state.ts';

/** A scan on Temporal that has not ended, as the file of the state folder keeps it. */
export interface KeptScan {
  /** The form of the file. */
  readonly form: 1;
  /** The id that the input of the scan's workflow contains. */
  readonly scanId: string;
  readonly before: BeforeRuns;
  readonly rps: number;
  readonly taskQueue: string;
}

/** Age of a scan whose workflow has completed, at most. An older result would say little about the namespace. */
const MAX_AGE_MS = 86_400_000;

/** Whether the result of a scan is too old to be taken. A scan in progress is never too old. */
export const isTooOld = ({ before }: KeptScan, isRunning: boolean, now: number): boolean =>
  !isRunning && !(now - before.started <= MAX_AGE_MS);

/** Returns the options with which a scan was started, if they are not the wanted ones. */
export const otherOptions = (
  kept: KeptScan,
  wanted: Pick<KeptScan, 'rps' | 'taskQueue'>,
): string | undefined =>
  kept.rps === wanted.rps && kept.taskQueue === wanted.taskQueue
    ? undefined
    : `--rps ${kept.rps} --task-queue ${quote(kept.taskQueue)}`;

/** Returns the scan that a file keeps. Undefined: none, or the file is damaged. @throws CliError if others can write the file */
export async function readKeptScan(path: string): Promise<KeptScan | undefined> {
  await checkFile(path).catch(notKept);
  try {
    const kept: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isKeptScan(kept) ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** @throws CliError */
export async function keepScan(path: string, scan: KeptScan): Promise<void> {
  await writeFileAtomic(path, JSON.stringify(scan), { mode: 0o600 }).catch(notKept);
}

export const forgetScan = (path: string): Promise<void> => rm(path, { force: true });

async function checkFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await checkOwnFile(dirname(path));
  await checkOwnFile(path);
}

const isKeptScan = (kept: unknown): kept is KeptScan =>
  typeof kept === 'object' &&
  kept !== null &&
  'form' in kept &&
  kept.form === 1 &&
  'scanId' in kept &&
  typeof kept.scanId === 'string' &&
  'rps' in kept &&
  typeof kept.rps === 'number' &&
  'taskQueue' in kept &&
  typeof kept.taskQueue === 'string' &&
  'before' in kept &&
  typeof kept.before === 'object';
