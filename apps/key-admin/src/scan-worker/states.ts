import { join } from 'node:path';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { CliError } from '../cli/cli-error.ts';
import { createStateFolder, ScanState } from '../scan/state.ts';

/**
 * Checks that the worker can use the state folder, because without a usable folder, each of the worker's shards would
 * become a gap.
 * @throws CliError if the folder cannot be used
 */
export async function checkStateFolder(folder: string): Promise<void> {
  await createStateFolder(folder).catch((error: unknown) => {
    const reason = messageOf(error);
    throw new CliError(
      'configuration',
      `The worker cannot store its state: ${reason}. Set another folder, or use --no-state.`,
      ['--state FOLDER', '--no-state'],
      error,
    );
  });
}

const DAY = 86_400_000;

/**
 * Returns a function that opens the state of a namespace once. After an error, the next call tries again. Once a day,
 * the state drops the runs that were read longer ago than the namespace's retention plus a day. A worker cannot drop
 * the runs that a scan no longer lists, because no worker sees the whole list.
 */
export function statesIn(
  folder: string | undefined,
  now: () => Date,
): (id: string, retentionSeconds: number) => Promise<ScanState | undefined> {
  const states = new Map<string, { readonly state: Promise<ScanState>; cleaned: number }>();
  return async (id, retentionSeconds) => {
    if (folder === undefined) return undefined;
    // Encodes the id, because it comes from a workflow's input and could otherwise name a file outside the folder.
    const open = () => ScanState.open(join(folder, `${encodeURIComponent(id)}.journal`), now);
    const known = states.get(id) ?? { state: open(), cleaned: 0 };
    states.set(id, known);
    const state = await known.state.catch((error: unknown) => {
      states.delete(id);
      throw error;
    });
    const time = now().getTime();
    if (time - known.cleaned >= DAY) {
      known.cleaned = time;
      // Every run in the state was closed when it was read, so the retention of each removed run has ended.
      await state.removeReadBefore(new Date(time - retentionSeconds * 1000 - DAY));
    }
    return state;
  };
}
