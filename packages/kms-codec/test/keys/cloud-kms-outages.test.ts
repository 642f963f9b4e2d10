import dns from 'node:dns';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { type Network, startNetwork } from '@temporal-kms/testing/network';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CloudKms } from '../../src/index.ts';
import { cryptoKey } from '../support/codec.ts';

/* Outages in which no server responds, with Google's client, real connections and a simulated clock. */

const key = cryptoKey('k');
/**
 * Maximum times until Cloud KMS responds after an outage, in ms: `SOON_MS` on the same connection, `LATER_MS`
 * if another connection is necessary.
 */
const SOON_MS = 5_000;
const LATER_MS = 20_000;
const STEP_MS = 500;
/**
 * Real time per step for sockets, in ms: `REAL_MS` during an outage, `REAL_ANSWER_MS` while a response is
 * expected.
 */
const REAL_MS = 4;
const REAL_ANSWER_MS = 60;
/** Minimum number of times per step that the event loop reads sockets, even if this process is stalled. */
const TURNS = 50;
const realSetTimeout = setTimeout;
let emulator: Emulator;

beforeAll(async () => {
  emulator = await startEmulator({ keys: [key] });
  // Loads Google's client before the simulated clock starts.
  const kms = new CloudKms({ emulatorHost: emulator.address });
  await kms.describe(key);
  await kms.close();
});
afterAll(() => emulator.close());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Returns a network between the client and the emulator. */
async function newNetwork(): Promise<Network> {
  const network = await startNetwork(emulator.port);
  onTestFinished(() => network.close());
  return network;
}

/** Returns a process that calls Cloud KMS repeatedly, on a clock that the test advances. */
function newCaller(address: string) {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
  const kms = new CloudKms({ emulatorHost: address });
  onTestFinished(async () => {
    vi.useRealTimers();
    await kms.close();
  });
  let answered = false;
  let isCalling = false;
  const call = () => {
    if (isCalling) return;
    isCalling = true;
    void kms
      .wrap({ key, plaintext: new Uint8Array(32), aad: new Uint8Array() })
      .then(
        () => (answered = true),
        () => undefined,
      )
      .finally(() => (isCalling = false));
  };
  const step = async (realMs: number) => {
    call();
    await vi.advanceTimersByTimeAsync(STEP_MS);
    await new Promise((resolve) => realSetTimeout(resolve, realMs));
    for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    /**
     * Makes calls for this time, in ms.
     * @returns whether Cloud KMS responded to a call that began during this time
     */
    async callFor(milliseconds: number): Promise<boolean> {
      answered = false;
      for (let at = 0; at < milliseconds; at += STEP_MS) await step(REAL_MS);
      return answered;
    },
    /** Makes calls until Cloud KMS responds. @returns the time taken in ms, or Infinity after two minutes */
    async untilAnswered(): Promise<number> {
      answered = false;
      for (let at = STEP_MS; at <= 120_000; at += STEP_MS) {
        await step(REAL_ANSWER_MS);
        if (answered) return at;
      }
      return Number.POSITIVE_INFINITY;
    },
  };
}

describe('a process that calls Cloud KMS repeatedly', () => {
  it.each([20_000, 90_000])(
    'soon reaches Cloud KMS after an outage in which connections were refused for %i ms',
    async (outageMs) => {
      const network = await newNetwork();
      const caller = newCaller(`127.0.0.1:${network.port}`);
      expect(await caller.untilAnswered()).toBeLessThanOrEqual(SOON_MS);
      await network.refuse();
      expect(await caller.callFor(outageMs)).toBe(false);
      await network.accept();
      expect(await caller.untilAnswered()).toBeLessThanOrEqual(SOON_MS);
    },
  );

  it('soon reaches Cloud KMS after an outage that began before the process started', async () => {
    const network = await newNetwork();
    await network.refuse();
    const caller = newCaller(`127.0.0.1:${network.port}`);
    expect(await caller.callFor(60_000)).toBe(false);
    await network.accept();
    expect(await caller.untilAnswered()).toBeLessThanOrEqual(SOON_MS);
  });

  it.each(['before', 'during'])(
    'soon reaches Cloud KMS after an outage in which no data arrived on connections opened %s the outage',
    async (when) => {
      const network = await newNetwork();
      const caller = newCaller(`127.0.0.1:${network.port}`);
      if (when === 'before') expect(await caller.untilAnswered()).toBeLessThanOrEqual(SOON_MS);
      network.silence();
      expect(await caller.callFor(60_000)).toBe(false);
      network.speak();
      expect(await caller.untilAnswered()).toBeLessThanOrEqual(LATER_MS);
    },
  );

  it('soon reaches Cloud KMS after an outage in which the host name could not be resolved', async () => {
    const network = await newNetwork();
    const lookup = vi.spyOn(dns.promises, 'lookup').mockRejectedValue(new Error('EAI_AGAIN'));
    const caller = newCaller(`localhost:${network.port}`);
    const addresses: any = [{ address: '127.0.0.1', family: 4 }];
    expect(await caller.callFor(60_000)).toBe(false);
    // A real lookup would need a thread, which can be suspended for longer than a step.
    lookup.mockResolvedValue(addresses);
    expect(await caller.untilAnswered()).toBeLessThanOrEqual(SOON_MS);
  });
});
