import { type ExportForm, type ExportSummary, exportSummary, exportTruncated } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import type { RunAddress } from '../../session/server/addresses.ts';
import { ApiFailure, connectionBroke, isAbort } from '../../session/server/failure.ts';
import type { RunsApi } from '../api.ts';

/** The state of an export: what it has written, and how it ended. */
export interface ExportState {
  /** `idle`: not started. `cut_off`: the response ended early, and the file was discarded. */
  readonly status: 'idle' | 'running' | 'complete' | 'stopped' | 'cut_off' | 'failed';
  readonly form: ExportForm;
  readonly bytes: number;
  readonly events: number;
  /** The counts at the end of a readable export. */
  readonly summary?: ExportSummary | undefined;
  /** Why the export failed or ended early. */
  readonly failure?: ApiFailure | undefined;
}

/** The destination of an export. `discard` removes what was written. */
export interface ExportTarget {
  readonly write: (chunk: Uint8Array<ArrayBuffer>) => Promise<void>;
  readonly close: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

export interface ExportOptions {
  readonly form: ExportForm;
  readonly justification?: string | undefined;
}

export type Export = ReturnType<typeof createExport>;

const idle: ExportState = { status: 'idle', form: 'readable', bytes: 0, events: 0 };

/** Minimum milliseconds between progress updates. */
const SETTLE = 100;

/**
 * Creates a run's export, which streams the server's response to a target and checks that the file is
 * complete.
 */
export function createExport(api: Pick<RunsApi, 'export'>, address: RunAddress) {
  const store = createStore<ExportState>()(() => idle);
  let abort: AbortController | undefined;

  async function run({ form, justification }: ExportOptions, target: ExportTarget, signal: AbortSignal) {
    const body = await api.export(address, { form, ...(justification && { justification }) }, signal);
    const file = new ExportedText(form);
    let published = 0;
    for await (const chunk of chunksOf(body)) {
      file.add(chunk);
      await target.write(chunk);
      signal.throwIfAborted();
      if (performance.now() - published < SETTLE) continue;
      published = performance.now();
      store.setState({ bytes: file.bytes, events: file.events });
    }
    const end = file.end();
    if (end.failure === undefined) await target.close();
    store.setState({ bytes: file.bytes, ...end, status: end.failure === undefined ? 'complete' : 'cut_off' });
    if (end.failure !== undefined) await discard(target);
  }

  return {
    store,
    /** Exports the run to a target. Stops an export in progress. */
    async start(options: ExportOptions, target: ExportTarget): Promise<void> {
      abort?.abort();
      const own = new AbortController();
      abort = own;
      store.setState({ ...idle, form: options.form, status: 'running' }, true);
      try {
        await run(options, target, own.signal);
      } catch (error) {
        await discard(target);
        if (abort !== own) return;
        if (own.signal.aborted || isAbort(error)) store.setState({ status: 'stopped' });
        else store.setState({ status: 'failed', failure: failureOf(error) });
      } finally {
        if (abort === own) abort = undefined;
      }
    },
    stop: () => abort?.abort(),
    /** Clears the state of the last export. An export in progress continues. */
    reset: () => {
      if (store.getState().status !== 'running') store.setState(idle, true);
    },
  };
}

/** Discards the file. Ignores errors: if the target itself failed, there is nothing left to remove. */
const discard = (target: ExportTarget) => target.discard().catch(() => undefined);

function failureOf(error: unknown): ApiFailure {
  if (error instanceof ApiFailure) return error;
  // The network throws TypeErrors; the file system throws DOMExceptions.
  return error instanceof DOMException
    ? new ApiFailure('unexpected', `The file could not be written: ${error.message}`, { cause: error })
    : connectionBroke(error);
}

async function* chunksOf(body: ReadableStream<Uint8Array<ArrayBuffer>>) {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The start of an event: the server writes each event on its own line, id first. */
const EVENT = '\n{"eventId":"';
/** Number of characters kept from the end of the file: more than a summary with all reason codes needs. */
const TAIL = 8 * 1024;

type End = Partial<Pick<ExportState, 'events' | 'summary' | 'failure'>>;

/** Counts the events in an export's text and recognises its end. Keeps only the end of the text. */
class ExportedText {
  readonly #form: ExportForm;
  // Decodes each byte as a character, which suffices for finding ASCII.
  readonly #latin1 = new TextDecoder('latin1');
  #tail = '';
  bytes = 0;
  events = 0;

  constructor(form: ExportForm) {
    this.#form = form;
  }

  add(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    const text = this.#latin1.decode(chunk);
    const seam = this.#tail.slice(1 - EVENT.length);
    this.events += occurrences(seam + text);
    this.#tail = (this.#tail + text).slice(-TAIL);
  }

  /** Returns the counts, or why the file is not complete. */
  end(): End {
    const lines = this.#tail.trimEnd().split('\n');
    const last = lines.at(-1) ?? '';
    const truncated = exportTruncated.safeParse(parsed(last));
    if (truncated.success) return { failure: cutOff(truncated.data.$truncated) };
    if (this.#form !== 'readable')
      return last === ']}' ? { events: this.events } : { failure: connectionBroke() };
    if (!last.startsWith('],"summary":') || !last.endsWith('}}')) return { failure: connectionBroke() };
    const summary = exportSummary.safeParse(parsed(last.slice('],"summary":'.length, -1)));
    return summary.success
      ? { events: summary.data.events, summary: summary.data }
      : { failure: connectionBroke() };
  }
}

function occurrences(text: string): number {
  let count = 0;
  for (let at = text.indexOf(EVENT); at >= 0; at = text.indexOf(EVENT, at + 1)) count += 1;
  return count;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function cutOff({ reason, message }: { reason: string; message?: string | undefined }): ApiFailure {
  switch (reason) {
    case 'signed_out':
      return new ApiFailure('unauthenticated', 'The sign-in expired while the export was in progress.');
    case 'limit':
      return new ApiFailure('timeout', 'The export took longer than the codec server allows.');
    case 'shutdown':
      return new ApiFailure('shutting_down', 'The codec server shut down while the export was in progress.');
    default:
      return new ApiFailure('internal', message ?? 'The codec server could not read all of the history.');
  }
}
