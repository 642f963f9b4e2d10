import { createStore } from 'zustand/vanilla';
import type { RunSession } from '../runs/run/run-session.ts';
import { errorOf } from '../ui/errors.ts';
import type { FilePort, FileReply, OpenedFile } from './history-file.ts';

export interface HistoryFilesState {
  readonly status: 'none' | 'opening' | 'open' | 'failed';
  /** The name of the file that is open, is being opened or could not be opened; empty if there is none. */
  readonly name: string;
  readonly file?: OpenedFile | undefined;
  /** Why the file cannot be opened. */
  readonly failure?: Error | undefined;
  /** The run on the screen; undefined until the user chooses one of the file's runs. */
  readonly run?: number | undefined;
}

export interface HistoryFilesOptions {
  readonly openPort: (onFailure: (error: Error) => void) => FilePort<FileReply>;
}

export type HistoryFiles = ReturnType<typeof createHistoryFiles>;

const none: HistoryFilesState = { status: 'none', name: '' };

/**
 * Manages the page's open history file. The file's content is only in memory, so reloading the page closes
 * the file.
 */
export function createHistoryFiles({ openPort }: HistoryFilesOptions) {
  const store = createStore<HistoryFilesState>()(() => none);
  const sessions = new Map<string, RunSession>();
  let current = 0;

  /** Closes the open file. A file that is still being opened closes as soon as it is open. */
  function replace(state: HistoryFilesState): number {
    for (const session of sessions.values()) session.close();
    sessions.clear();
    store.getState().file?.close();
    store.setState(state, true);
    current += 1;
    return current;
  }

  return {
    store,
    /** Opens a file and closes the file that was open. */
    async open(chosen: File): Promise<void> {
      const { name } = chosen;
      const id = replace({ status: 'opening', name });
      try {
        // The code for history files is loaded on demand, so that pages start without it.
        const { openHistoryFile } = await import('./history-file.ts');
        const file = await openHistoryFile(chosen, openPort);
        if (id !== current) file.close();
        else
          store.setState({ status: 'open', name, file, run: file.runs.length === 1 ? 0 : undefined }, true);
      } catch (error) {
        if (id !== current) return;
        store.setState({ status: 'failed', name, failure: errorOf(error) }, true);
      }
    },
    /** Shows a run of the file or, if `run` is undefined, the list of the file's runs. */
    choose: (run: number | undefined) => store.setState({ run }),
    close: () => void replace(none),
    /**
     * Returns the session of a run in the file, in a namespace.
     *
     * @param make called once per run, with a number that is unique for each opened file
     */
    session(namespace: string, run: number, make: (fileId: number) => RunSession): RunSession {
      const key = JSON.stringify([namespace, run]);
      const session = sessions.get(key) ?? make(current);
      sessions.set(key, session);
      return session;
    },
  };
}

/** Opens a channel to a new worker, which is terminated when the channel closes. */
export function openFilePort(onFailure: (error: Error) => void): FilePort<FileReply> {
  // Outside this expression, the bundler would treat the URL as a file to copy and not as a worker.
  const worker = new Worker(new URL('./history-file-worker.ts', import.meta.url), {
    type: 'module',
    name: 'history-file',
  });
  worker.addEventListener('error', () => onFailure(new Error('The browser could not read the file.')));
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(undefined, [port2]);
  return {
    postMessage: (message, transfer) => port1.postMessage(message, transfer),
    addEventListener: (type, listener) => port1.addEventListener(type, listener),
    start: () => port1.start(),
    close: () => {
      port1.close();
      worker.terminate();
    },
  };
}
