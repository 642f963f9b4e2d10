import { block } from '@temporal-kms/scripts/block';
import type { Payload } from '@temporalio/common';

/** A codec that does not encrypt, and that fails while it is broken. */
export class BreakableCodec {
  isBroken = false;
  /** How long each call blocks the event loop while the codec is broken, in milliseconds. */
  blockMs = 0;

  encode(payloads: Payload[]): Promise<Payload[]> {
    if (!this.isBroken) return Promise.resolve(payloads);
    block(this.blockMs);
    return Promise.reject(new TypeError('The codec is broken'));
  }

  decode(payloads: Payload[]): Promise<Payload[]> {
    if (this.isBroken) block(this.blockMs);
    return Promise.resolve(payloads);
  }
}

export const createActivities = (codec: BreakableCodec) => ({
  ping: (text: string) => Promise.resolve(text),

  /** Breaks the codec, so that the failure of this activity cannot be encoded and the worker ends. */
  die: (): Promise<never> => {
    codec.isBroken = true;
    block(codec.blockMs);
    return Promise.reject(new Error('the end'));
  },

  /** Ignores its cancellation. */
  stick: () => new Promise<void>(() => undefined),
});

export type Activities = ReturnType<typeof createActivities>;
