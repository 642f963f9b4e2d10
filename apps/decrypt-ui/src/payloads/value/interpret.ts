import type { JsonPayload } from '@temporal-kms/codec-api';
import { createStore } from 'zustand';
import { type PayloadValue, payloadValue } from './payload-value.ts';

/** Maximum base64 length of a payload that the page interprets itself, within milliseconds. Longer payloads go to a worker. */
export const LARGE = 150_000;

/** Caches each payload's value for as long as the decoder's answer exists. */
const values = new WeakMap<JsonPayload, PayloadValue>();

/** The number of values that workers have returned. */
export const valuesStore = createStore(() => 0);

/** Returns a payload's value, or undefined if the payload is large and `interpret` has not finished. */
export function valueOf(payload: JsonPayload): PayloadValue | undefined {
  const known = values.get(payload);
  if (known || payload.data.length > LARGE) return known;
  const value = payloadValue(payload);
  values.set(payload, value);
  return value;
}

/** Large payloads that components wait for, in order of request, with the number of waiting components. */
const wanted = new Map<JsonPayload, number>();
let current: { readonly payload: JsonPayload; readonly worker: Worker } | undefined;

/**
 * Interprets a large payload in a worker, so that the page stays responsive. Each payload gets a new worker,
 * which is terminated after its answer, so that no worker keeps plaintext. Only one worker runs at a time.
 *
 * @returns a function that cancels the request
 */
export function interpret(payload: JsonPayload): () => void {
  if (valueOf(payload)) return () => undefined;
  wanted.set(payload, (wanted.get(payload) ?? 0) + 1);
  startNext();
  return () => {
    const others = (wanted.get(payload) ?? 0) - 1;
    if (others > 0) wanted.set(payload, others);
    else {
      wanted.delete(payload);
      if (current?.payload === payload) end();
    }
  };
}

function startNext() {
  const [payload] = wanted.keys();
  if (current || !payload) return;
  const worker = new Worker(new URL('./payload-worker.ts', import.meta.url), {
    type: 'module',
    name: 'payload',
  });
  current = { payload, worker };
  const done = (value: PayloadValue) => {
    values.set(payload, value);
    wanted.delete(payload);
    end();
    valuesStore.setState((count) => count + 1, true);
  };
  worker.addEventListener('message', ({ data }: MessageEvent<PayloadValue>) => done(data));
  // If the worker fails, the page interprets the payload itself and blocks for a moment.
  worker.addEventListener('error', () => done(payloadValue(payload)));
  worker.postMessage(payload, { transfer: [] });
}

function end() {
  current?.worker.terminate();
  current = undefined;
  startNext();
}
