import { describe, expect, it, vi } from 'vitest';
import { KmsCodecError } from '../../src/errors.ts';
import { WaitBudget } from '../../src/keys/wait-budget.ts';
import { SingleFlight } from '../../src/keys/single-flight.ts';
import { cryptoKey } from '../support/codec.ts';
import { patient } from '../support/decryption.ts';

const key = cryptoKey('pay');
const unavailable = { code: 'kms_unavailable', key };

/** Returns attempts that end only when the test ends them, in the order in which they began. */
function heldAttempts() {
  const begun: PromiseWithResolvers<string>[] = [];
  const attempt = () => {
    const held = Promise.withResolvers<string>();
    begun.push(held);
    return held.promise;
  };
  return { begun, attempt, flights: new SingleFlight<string>({}) };
}

describe('SingleFlight', () => {
  it('rejects a caller’s pending and later requests, and makes no further call, once the caller’s wait budget has failed', async () => {
    const { begun, attempt, flights } = heldAttempts();
    const waitBudget = patient();
    const inFlight = flights.join('first', key, waitBudget, attempt);
    waitBudget.fail();
    await expect(inFlight).rejects.toMatchObject(unavailable);
    await expect(flights.join('second', key, waitBudget, attempt)).rejects.toMatchObject(unavailable);
    expect(begun).toHaveLength(1);
  });

  it('returns no result to an activity whose attempt has timed out in the meantime', async () => {
    const { begun, attempt, flights } = heldAttempts();
    const activity = { hasEnded: false, wait: () => () => undefined };
    const late = flights.join('id', key, new WaitBudget(60_000, {}, { waiting: 0 }, activity), attempt);
    const other = flights.join('id', key, patient(), attempt);
    activity.hasEnded = true;
    begun[0]!.resolve('result');
    await expect(late).rejects.toMatchObject(unavailable);
    await expect(other).resolves.toBe('result');
  });

  it('shares a new call among the callers that arrive after all earlier callers have given up', async () => {
    const { begun, attempt, flights } = heldAttempts();
    const gone = patient();
    const first = flights.join('id', key, gone, attempt);
    gone.fail();
    await expect(first).rejects.toMatchObject(unavailable);
    const second = flights.join('id', key, patient(), attempt);
    begun[0]!.resolve('late');
    await vi.waitFor(() => expect(begun).toHaveLength(2), { timeout: 5_000 });
    await new Promise(setImmediate);
    const third = flights.join('id', key, patient(), attempt);
    expect(begun).toHaveLength(2);
    begun[1]!.resolve('result');
    expect(await Promise.all([second, third])).toEqual(['result', 'result']);
  });

  it('makes a new call for a caller that arrives after the response, even if earlier callers have not received it yet', async () => {
    const { begun, attempt, flights } = heldAttempts();
    const joined = [flights.join('id', key, patient(), attempt)];
    const received: string[] = [];
    void joined[0]!.then((result) => received.push(result));
    begun[0]!.resolve('old');
    // Joins after each microtask, until the first caller has received its result.
    for (; received.length === 0; await Promise.resolve())
      joined.push(flights.join('id', key, patient(), attempt));
    expect(begun).toHaveLength(2);
    begun[1]!.resolve('new');
    expect([await joined[0], await joined.at(-1)]).toEqual(['old', 'new']);
  });

  it('reports retries but not the first attempt, and delays each retry by a random time', async () => {
    const retries: unknown[] = [];
    const flights = new SingleFlight<string>({ kmsRetry: (event) => void retries.push(event) });
    const codes = ['kms_quota', 'permission_denied'] as const;
    let attempts = 0;
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const joined = flights.join('id', key, patient(), async () => {
      attempts += 1;
      throw new KmsCodecError(codes[attempts - 1] ?? 'malformed', 'failed on demand');
    });
    await expect(joined).rejects.toMatchObject({ code: 'permission_denied' });
    vi.restoreAllMocks();
    expect(retries).toEqual([{ key, code: 'kms_quota', delayMs: 150 }]);
  });
});
