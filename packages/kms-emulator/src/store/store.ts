import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { State } from '../model/state.ts';
import { read, write } from './snapshot.ts';

/** Stores a state. `save` resolves once every change that was made before the call is saved. */
export interface Store {
  readonly state: State;
  save(): Promise<void>;
}

export const memoryStore = (): Store => ({ state: new State(), save: () => Promise.resolve() });

/**
 * Opens a state in a JSON file. The file contains key material in plaintext, so only its owner can read it.
 *
 * @throws Error if the file exists but cannot be read or is not a data file. Such a file is never overwritten
 */
export async function openFileStore(path: string): Promise<Store> {
  const text = await readExisting(path);
  const state = text === undefined ? new State() : parse(path, text);
  if (text !== undefined) await chmod(path, 0o600);
  let stamp = await stampOf(path);
  let saved = text === undefined ? -1 : state.revision;
  let writing: Promise<void> | undefined;

  const writeNow = async () => {
    if ((await stampOf(path)) !== stamp) {
      throw new Error(
        `${path} was changed or removed by another process: two emulators must not share a data file.`,
      );
    }
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const { revision } = state;
    await writeFileAtomic(path, write(state), { mode: 0o600 });
    stamp = await stampOf(path);
    saved = revision;
  };

  // Makes only one write at a time. A call during a write waits for the next write, which contains all
  // changes.
  const save = async (wanted = state.revision): Promise<void> => {
    if (saved >= wanted) return;
    writing ??= writeNow().finally(() => {
      writing = undefined;
    });
    await writing;
    await save(wanted);
  };
  return { state, save: () => save() };
}

async function readExisting(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function parse(path: string, text: string): State {
  try {
    return read(text);
  } catch (error) {
    throw new Error(
      `${path} is not a data file of the KMS emulator. Use another path, or move this file away.`,
      { cause: error },
    );
  }
}

async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { ino, mtimeMs, size } = await stat(path);
    return `${ino}:${mtimeMs}:${size}`;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
