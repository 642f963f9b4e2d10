import {
  type DecodeResult,
  type PayloadRef,
  type QueryAnswer,
  type QueryFrame,
  type QueryRequest,
} from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import { createDecoder, type Payloads } from '../../payloads/decoder.ts';
import { createPlaintextCache, type PlaintextCache } from '../../payloads/reveal/plaintext-cache.ts';
import { accessTo, NO_PAYLOAD, type PayloadAccess, type Reveals } from '../../payloads/reveal/reveals.ts';
import type { RunAddress } from '../../session/server/addresses.ts';
import { type ApiFailure, connectionBroke, failureOf, isAbort } from '../../session/server/failure.ts';
import { errorOf } from '../../ui/errors.ts';

/** A worker's answer. The page drops the answer when the answer's reveal ends. */
export interface WorkerAnswer {
  readonly status: 'answered';
  readonly answer: QueryAnswer;
  /** Decodes the payloads of the answer, and the payloads of the run that the user compares with them. */
  readonly payloads: Payloads;
  /** Returns a payload's result, or undefined once the answer must be hidden, even if the page still shows it. */
  readonly result: (ref: PayloadRef) => DecodeResult | undefined;
}

export type WorkerQueryState =
  | { readonly status: 'idle' | 'asking' | 'hidden' }
  | { readonly status: 'failed'; readonly failure: ApiFailure }
  | WorkerAnswer;

export interface WorkerQueryOptions {
  readonly run: RunAddress;
  readonly query: (body: QueryRequest, signal: AbortSignal) => AsyncIterable<QueryFrame>;
  /** The payloads of the run, with which the user can compare the payloads of an answer. */
  readonly ofRun: Payloads;
  readonly decode: (
    refs: readonly PayloadRef[],
    signal: AbortSignal,
    justification: string | undefined,
  ) => AsyncIterable<DecodeResult>;
  readonly reveals: Reveals;
  readonly plaintext: Pick<PlaintextCache, 'onClear'>;
}

type Opening = Extract<PayloadAccess, { status: 'open' }>;

/** Creates a repeatable query of a run. */
export function createWorkerQuery({ run, query, ofRun, decode, reveals, plaintext }: WorkerQueryOptions) {
  const store = createStore<WorkerQueryState>()(() => ({ status: 'idle' }));
  let request = new AbortController();
  /** The reveal that the current answer belongs to. */
  let opening: Opening | undefined;

  const open = (): Opening | undefined => {
    const access = accessTo(reveals.store.getState(), { run, ref: NO_PAYLOAD });
    return access.status === 'open' ? access : undefined;
  };
  const mayShow = (): boolean => {
    const { grants } = reveals.store.getState();
    const grant = opening?.grant;
    return opening !== undefined && open() !== undefined && (grant === undefined || grants.includes(grant));
  };

  function change(state: WorkerQueryState) {
    const before = store.getState();
    store.setState(state, true);
    if (before.status === 'answered') before.payloads.decoder.stop();
  }

  /** Drops the answer or aborts the request for it. The page then says that the answer is hidden. */
  function hide() {
    const { status } = store.getState();
    if (status !== 'answered' && status !== 'asking') return;
    request.abort();
    change({ status: 'hidden' });
  }

  /** Drops the answer or aborts the request for it, and leaves no note on the page. */
  function clear() {
    request.abort();
    if (store.getState().status !== 'idle') change({ status: 'idle' });
  }

  function answered(answer: QueryAnswer, results: ReadonlyMap<PayloadRef, DecodeResult>): WorkerAnswer {
    const stubs = new Map(answer.payloads.map((stub) => [stub.ref, stub]));
    const decoder = createDecoder({
      decode: async function* (refs, signal, justification) {
        for (const ref of refs) {
          const result = results.get(ref);
          if (result) yield result;
        }
        const others = refs.filter((ref) => !stubs.has(ref));
        if (others.length > 0) yield* decode(others, signal, justification);
      },
      access: {
        of: (ref) => {
          if (!stubs.has(ref)) return accessTo(reveals.store.getState(), ofRun.place(ref));
          return opening && mayShow() ? opening : { status: 'locked' };
        },
        subscribe: (listener) => reveals.store.subscribe(listener),
      },
      cache: createPlaintextCache(),
      scope: 'answer',
      stub: (ref) => stubs.get(ref),
      debounce: 0,
    });
    const payloads: Payloads = {
      decoder,
      place: (ref) => (stubs.has(ref) ? { run, ref } : ofRun.place(ref)),
      ofEvent: (ref) => (stubs.has(ref) ? [] : ofRun.ofEvent(ref)),
      target: ofRun.target,
    };
    return {
      status: 'answered',
      answer,
      payloads,
      result: (ref) => (mayShow() ? results.get(ref) : undefined),
    };
  }

  return {
    store,
    clear,
    /** Asks a worker. Call this method only while the run is revealed. */
    async ask(type: string, texts: readonly string[] = []) {
      request.abort();
      const { signal } = (request = new AbortController());
      opening = open();
      if (!opening) return;
      const justification = opening.grant?.justification;
      change({ status: 'asking' });
      try {
        const body = {
          type,
          ...(texts.length > 0 && { arguments: [...texts] }),
          ...(justification !== undefined && { justification }),
        };
        const { answer, results } = await collected(query(body, signal));
        if (signal.aborted) return;
        change(mayShow() ? answered(answer, results) : { status: 'hidden' });
      } catch (error) {
        if (signal.aborted || isAbort(error)) return;
        change({ status: 'failed', failure: failureOf(errorOf(error)) });
      }
    },
    /**
     * Hides the answer when its reveal ends. Returns a function that drops the answer and stops watching the
     * reveal.
     */
    start(): () => void {
      const stops = [
        reveals.store.subscribe(() => {
          if (!mayShow()) hide();
        }),
        reveals.onForget((namespace) => {
          if (namespace === undefined || namespace === run.namespace) hide();
        }),
        plaintext.onClear(hide),
      ];
      return () => {
        for (const stop of stops) stop();
        clear();
      };
    },
  };
}

async function collected(frames: AsyncIterable<QueryFrame>) {
  let answer: QueryAnswer | undefined;
  const results = new Map<PayloadRef, DecodeResult>();
  for await (const frame of frames) {
    if ('ok' in frame) results.set(frame.ref, frame);
    else if (frame.type === 'answer') answer = frame;
  }
  if (!answer) throw connectionBroke();
  return { answer, results };
}
