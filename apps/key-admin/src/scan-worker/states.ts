import { join } from 'node:path';
import { messageOf } from '@temporal-kms/kms-codec/error-details';
import { CliError } from '../cli/cli-error.ts';
import { createStateFolder, ScanState } from '../scan/state.ts';

/** Refuses a state folder that the worker cannot use: each of its shards would become a gap. @throws CliError */
export async function checkStateFolder(folder: string): Promise<void> {
  await createStateFolder(folder).catch((error: unknown) => {
    const reason = messageOf(error);
    throw new CliError(
      'configuration',
      `The worker cannot keep what it reads: ${reason}. Set another folder, or keep nothing.`,
      ['--state FOLDER', '--no-state'],
      error,
    );
  });
}

/** Returns a function that opens the state of a namespace once. After an error, the next call tries again. */
export function statesIn(folder: string | undefined): (id: string) => Promise<ScanState | undefined> {
  const states = new Map<string, Promise<ScanState>>();
  return async (id) => {
    if (folder === undefined) return undefined;
    const known = states.get(id);
    if (known !== undefined) return await known;
    // The id comes from a workflow's input.
    const state = ScanState.open(join(folder, `${encodeURIComponent(id)}.journal`));
    states.set(id, state);
    state.catch(() => states.delete(id));
    return await state;
  };
}
