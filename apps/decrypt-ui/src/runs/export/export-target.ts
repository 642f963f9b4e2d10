import { saveFile } from '../../ui/save-file.ts';
import type { ExportTarget } from './export-run.ts';

type SaveFilePicker = (options: {
  suggestedName: string;
  types: { description: string; accept: Record<string, string[]> }[];
}) => Promise<FileSystemFileHandle>;

declare global {
  interface Window {
    /** https://developer.mozilla.org/docs/Web/API/Window/showSaveFilePicker */
    readonly showSaveFilePicker?: SaveFilePicker;
  }
}

/**
 * Asks where to save a file, and returns a target that writes data to disk as it arrives. The file appears only when
 * complete. If the File System Access API is missing or blocked, the target collects the file in memory and then
 * downloads it.
 *
 * Call this function in a click handler, because elsewhere browsers do not show the dialog.
 *
 * @returns undefined if the person closed the dialog
 */
export async function chooseTarget(name: string): Promise<ExportTarget | undefined> {
  const { showSaveFilePicker: choose } = window;
  if (choose === undefined) return download(name);
  try {
    const types = [{ description: 'JSON', accept: { 'application/json': ['.json'] } }];
    const handle = await choose.call(window, { suggestedName: name, types });
    const file = await handle.createWritable();
    return { write: (chunk) => file.write(chunk), close: () => file.close(), discard: () => file.abort() };
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    return download(name);
  }
}

/**
 * Returns a target that collects the file in memory, which is large enough because the server limits the size of
 * histories.
 */
function download(name: string): ExportTarget {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  return {
    write: async (chunk) => void chunks.push(chunk),
    close: async () => saveFile([name], new Blob(chunks), 'application/json'),
    discard: async () => void chunks.splice(0),
  };
}
