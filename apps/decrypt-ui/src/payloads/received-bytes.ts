import type { PayloadRef } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';

/** Milliseconds between two publications. */
const INTERVAL = 100;

/** Creates a store that counts the bytes received for each payload that is read from external storage. */
export function createReceivedBytes() {
  const store = createStore<ReadonlyMap<PayloadRef, number>>()(() => new Map());
  return {
    store,
    /** Returns a function that records how many bytes of a payload's response have arrived. */
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
