import { expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { eventually, history, postTo, runOf, startStack } from '../support/temporal.ts';

// Every route that decrypts payloads of a history counts the caller's Cloud KMS requests.
const stack = forFile(await startStack());
await eventually(() => stack.kms.codec.warm('payments'));
const run = await runOf(await stack.start('everywhere', ['canary-27f3a0'], { taskQueue: 'nobody' }));

const routes = [
  ['payloads:decode', { refs: ['1:0'] }],
  ['history:search', { text: 'canary' }],
  ['history:export', { form: 'readable' }],
] as const;

it.each(routes)(
  'charges %s for its Cloud KMS requests, and returns 429 when the allowance is used up',
  async (path, body) => {
    await using other = stack.kms.another();
    await eventually(() => other.codec.warm('payments'));
    const app = stack.replica({ codec: other.codec, rates: { kmsRequests: 1 } });
    const before = stack.kms.emulator.calls.count('Decrypt');
    const first = await postTo(app, run, path, body);
    expect(first.status).toBe(200);
    expect(await first.text()).toMatch(/"ok":true|"hit"|canary/);
    expect(stack.kms.emulator.calls.count('Decrypt') - before).toBe(1);
    for (const [next, its] of routes) {
      const refused = await postTo(app, run, next, its);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await refused.json()).toMatchObject({ error: { code: 'rate_limited' } });
    }
    // Requests that decrypt nothing still succeed.
    expect((await history(app, run)).length).toBeGreaterThan(0);
    expect(stack.kms.emulator.calls.count('Decrypt') - before).toBe(1);
  },
);
