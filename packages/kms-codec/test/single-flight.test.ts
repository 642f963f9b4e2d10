import { expect, it } from 'vitest';
import { WaitBudget } from '../src/keys/wait-budget.ts';
import { SingleFlight } from '../src/keys/single-flight.ts';
import { cryptoKey } from './support/codec.ts';

it('SingleFlight rejects a caller’s pending and later requests, and makes no further call, once the caller’s wait budget has failed', async () => {
  const flights = new SingleFlight<string>({});
  const waitBudget = new WaitBudget(60_000);
  let asked = 0;
  const ask = (id: string) =>
    flights.join(id, cryptoKey('pay'), waitBudget, async () => {
      asked += 1;
      return await new Promise<string>(() => undefined);
    });
  const inFlight = ask('first');
  waitBudget.fail();
  await expect(inFlight).rejects.toMatchObject({ code: 'kms_unavailable' });
  await expect(ask('second')).rejects.toMatchObject({ code: 'kms_unavailable' });
  expect(asked).toBe(1);
});
