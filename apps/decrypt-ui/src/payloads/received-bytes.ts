import type { PayloadRef } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';

/** Milliseconds between two publications. */
const INTERVAL = 100;

/** Creates a store of how many bytes have arrived of each payload that is read from external storage. */
export function createReceivedBytes() {
  const store = createStore<ReadonlyMap<PayloadRef, number>>()(() => new Map());
  return {
    store,
    /** Returns a function to call with the number of bytes that have arrived of a payload's response. */
    counting(ref: PayloadRef) {
      let published = -INTERVAL;
      return (count: number) => {
        const now = performance.now();
        if (now - published < INTERVAL) return;
        published = now;
        store.setState(new Map([...store.getState(), [ref, count]]), true);
      };
    },
    end(ref: PayloadRef) {
      const left = new Map(store.getState());
      if (left.delete(ref)) store.setState(left, true);
    },
  };
}
