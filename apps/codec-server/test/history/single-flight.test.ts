import { describe, expect, it } from 'vitest';
import { SingleFlight } from '../../src/history/single-flight.ts';
import { never } from '../support/memory.ts';

function call() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const started: AbortSignal[] = [];
  const start = (signal: AbortSignal): Promise<string> => {
    started.push(signal);
    return promise;
  };
  return { start, started, resolve, reject };
}

describe('SingleFlight', () => {
  it('shares one call between concurrent callers with the same key', async () => {
    const flights = new SingleFlight<string>();
    const { start, started, resolve } = call();
    const both = [flights.run('a', never, start), flights.run('a', never, start)];
    resolve('page');
    expect(await Promise.all(both)).toEqual(['page', 'page']);
    await flights.run('a', never, start);
    expect(started).toHaveLength(2);
  });

  it('keeps the call running for the other callers when one caller aborts', async () => {
    const flights = new SingleFlight<string>();
    const { start, started, resolve } = call();
    const leaving = new AbortController();
    const left = flights.run('a', leaving.signal, start);
    const staying = flights.run('a', never, start);
    leaving.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    expect(started[0]!.aborted).toBe(false);
    resolve('page');
    expect(await staying).toBe('page');
  });

  it('aborts the call when the last caller aborts, and starts another call for the next caller', async () => {
    const flights = new SingleFlight<string>();
    const first = call();
    const leaving = new AbortController();
    const left = flights.run('a', leaving.signal, first.start);
    leaving.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    expect(first.started[0]!.aborted).toBe(true);
    const second = call();
    second.resolve('page');
    expect(await flights.run('a', never, second.start)).toBe('page');
  });

  it('passes a failure to every caller and does not cache it', async () => {
    const flights = new SingleFlight<string>();
    const { start, reject } = call();
    const both = Promise.allSettled([flights.run('a', never, start), flights.run('a', never, start)]);
    reject(new Error('down'));
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = call();
    again.resolve('page');
    expect(await flights.run('a', never, again.start)).toBe('page');
  });
});
