import type { JsonPayload } from '@temporal-kms/codec-api';
import { createStore } from 'zustand';
import { type PayloadValue, payloadValue } from './payload-value.ts';

/** Base64 characters of the longest payload that is interpreted at once, in some milliseconds. A longer one goes to a worker. */
export const LARGE = 150_000;

/** The values of payloads; each lives as long as the answer that it was made from. */
const values = new WeakMap<JsonPayload, PayloadValue>();

/** Counts the values that came from a worker. */
export const valuesStore = createStore(() => 0);

/** The value of a payload; undefined if the payload is large and `interpret` has not finished. */
export function valueOf(payload: JsonPayload): PayloadValue | undefined {
  const known = values.get(payload);
  if (known || payload.data.length > LARGE) return known;
  const value = payloadValue(payload);
  values.set(payload, value);
  return value;
}

/** Large payloads that components wait for, in the order of the requests, with the number of those components. */
const wanted = new Map<JsonPayload, number>();
let current: { readonly payload: JsonPayload; readonly worker: Worker } | undefined;

/**
 * Interprets a large payload in a worker, while the page stays responsive. Each payload has a separate worker, which ends with
 * its answer, so that no worker keeps plaintext. One works at a time.
 *
 * @returns a function that ends the request
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
  // Without a worker, the page stops for a moment.
  worker.addEventListener('error', () => done(payloadValue(payload)));
  worker.postMessage(payload, { transfer: [] });
}

function end() {
  current?.worker.terminate();
  current = undefined;
  startNext();
}
