import { KeyManagementServiceClient } from '@google-cloud/kms';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { GoogleClient } from '../../src/keys/google-client.ts';
import { cryptoKey } from '../support/codec.ts';

/* Tests when Google's client is created, replaced and closed, without a connection. */

const key = cryptoKey('k');
const LIMIT_MS = 50;
const methods = KeyManagementServiceClient.prototype;
const never = () => new Promise<never>(() => undefined);

let initialize: MockInstance<typeof methods.initialize>;
let close: MockInstance<typeof methods.close>;
let google: GoogleClient;

beforeEach(() => {
  initialize = vi.spyOn(methods, 'initialize').mockResolvedValue({});
  close = vi.spyOn(methods, 'close').mockResolvedValue();
  google = new GoogleClient('127.0.0.1:1', LIMIT_MS);
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('GoogleClient.ready', () => {
  it('returns the same client to all calls, and stops its timers', async () => {
    const stop = vi.spyOn(WaitTimer.prototype, 'stop');
    const first = await google.ready(key);
    // There are two timers: one for the initialization itself, and one that limits it.
    expect(new Set(stop.mock.contexts).size).toBe(2);
    expect(await google.ready(key)).toBe(first);
  });

  it('creates another client at the next call if Google refused the identity', async () => {
    initialize.mockRejectedValueOnce(Object.assign(new Error('no'), { response: { status: 403 } }));
    await expect(google.ready(key)).rejects.toMatchObject({ code: 'permission_denied', key });
    await google.ready(key);
    expect(initialize.mock.contexts[1]).not.toBe(initialize.mock.contexts[0]);
  });

  it('caches the absence of credentials for a second', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(100_000);
    initialize.mockRejectedValueOnce(new Error('no'));
    const missing = { code: 'kms_unavailable', message: expect.stringMatching(/credentials/), key };
    await expect(google.ready(key)).rejects.toMatchObject(missing);
    now.mockReturnValue(100_999);
    await expect(google.ready(key)).rejects.toMatchObject(missing);
    now.mockReturnValue(101_000);
    await google.ready(key);
  });

  it.each([
    ['does not cache the absence of credentials if this process was stalled', 101, 2],
    ['caches the absence of credentials if this process waited as long as it was stalled', 100, 1],
  ])('%s while it looked for them', async (_, stalledMs, created) => {
    vi.spyOn(WaitTimer.prototype, 'stalledMs', 'get').mockReturnValue(stalledMs);
    vi.spyOn(WaitTimer.prototype, 'waitedMs', 'get').mockReturnValue(100);
    initialize.mockRejectedValueOnce(new Error('no'));
    await expect(google.ready(key)).rejects.toMatchObject({ code: 'kms_unavailable', key });
    await google.ready(key).catch(() => undefined);
    expect(initialize).toHaveBeenCalledTimes(created);
  });

  it('fails at the time limit if the initialization takes longer, and keeps the client for later calls', async () => {
    initialize.mockImplementationOnce(never);
    await expect(google.ready(key)).rejects.toMatchObject({
      code: 'kms_unavailable',
      message: expect.stringMatching(/no access token/),
      key,
    });
    expect(await google.ready(key)).toBe(initialize.mock.contexts[0]);
  });

  it('keeps a client even if its predecessor fails later', async () => {
    const late = Promise.withResolvers<never>();
    initialize.mockReturnValueOnce(late.promise);
    const waiting = google.ready(key);
    google.replace();
    const replacement = await google.ready(key);
    late.reject(new Error('no'));
    await expect(waiting).rejects.toMatchObject({ code: 'kms_unavailable' });
    expect(await google.ready(key)).toBe(replacement);
  });
});

describe('GoogleClient.replace', () => {
  it('closes the client, and gives its credentials to the next client', async () => {
    const first = await google.ready(key);
    google.replace();
    const second = await google.ready(key);
    expect(second).not.toBe(first);
    expect(second.auth).toBe(first.auth);
    expect(close.mock.contexts).toEqual([first]);
  });

  it('does nothing in the 10 s after a replacement', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(100_000);
    await google.ready(key);
    google.replace();
    const second = await google.ready(key);
    now.mockReturnValue(109_999);
    google.replace();
    expect(await google.ready(key)).toBe(second);
    now.mockReturnValue(110_000);
    google.replace();
    expect(await google.ready(key)).not.toBe(second);
  });

  it('does nothing before the first call', () => {
    google.replace();
    expect(close).not.toHaveBeenCalled();
  });
});

describe('GoogleClient.close', () => {
  it('closes nothing before the first call', async () => {
    await google.close();
    expect(initialize).not.toHaveBeenCalled();
  });

  it('closes the client after its initialization', async () => {
    const initialized = Promise.withResolvers<Record<string, never>>();
    initialize.mockReturnValue(initialized.promise);
    const ready = google.ready(key);
    const closing = google.close();
    expect(close).not.toHaveBeenCalled();
    initialized.resolve({});
    await Promise.all([ready, closing]);
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('waits only until the time limit for the initialization', async () => {
    initialize.mockImplementation(never);
    google.ready(key).catch(() => undefined);
    await google.close();
    expect(close).not.toHaveBeenCalled();
  });

  it('reports that the client could not be closed', async () => {
    close.mockRejectedValue(new Error('open'));
    await google.ready(key);
    await expect(google.close()).rejects.toThrow('open');
  });
});
