import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CloudKms, type KmsCall } from '../../src/index.ts';
import { cryptoKey } from '../support/codec.ts';
import { grpcError, scriptedClient } from '../support/scripted-client.ts';

/* Tests how often `CloudKms` calls Google's client, and what it reports about each call. */

const key = cryptoKey('k');
const aad = new Uint8Array();
const bytes = Buffer.from('123456789');
const crc32c = { value: 0xe3_06_92_83 };
const wrapped = (protectionLevel = 'SOFTWARE') => ({
  name: `${key}/cryptoKeyVersions/1`,
  ciphertext: bytes,
  ciphertextCrc32c: crc32c,
  verifiedPlaintextCrc32c: true,
  protectionLevel,
});
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const FAILED_PRECONDITION = 9;
const UNAVAILABLE = 14;

let client: ReturnType<typeof scriptedClient>;
let calls: KmsCall[];
let kms: CloudKms;
beforeEach(() => {
  client = scriptedClient();
  calls = [];
  kms = new CloudKms({ attemptTimeoutMs: 250, observer: { kmsCall: (call) => void calls.push(call) } });
});
const wrap = (length = bytes.length, bound = aad) =>
  kms.wrap({ key, plaintext: Buffer.alloc(length), aad: bound });

describe('the observer of CloudKms', () => {
  it('is notified of a successful call and its duration', async () => {
    client.getCryptoKey.mockResolvedValue([{}]);
    client.listCryptoKeyVersions.mockResolvedValue([[]]);
    const start = performance.now();
    await kms.describe(key);
    const elapsed = performance.now() - start;
    expect(calls).toStrictEqual([
      { operation: 'describe', key, milliseconds: expect.any(Number), requests: 2 },
    ]);
    expect(calls[0]!.milliseconds).toBeGreaterThanOrEqual(0);
    expect(calls[0]!.milliseconds).toBeLessThanOrEqual(elapsed);
  });

  it('is notified of a failed call, with the error’s code and message', async () => {
    client.encrypt.mockRejectedValue(grpcError(PERMISSION_DENIED));
    await expect(wrap()).rejects.toMatchObject({ code: 'permission_denied' });
    expect(calls).toStrictEqual([
      {
        operation: 'wrap',
        key,
        milliseconds: expect.any(Number),
        requests: 1,
        code: 'permission_denied',
        message: expect.stringContaining(key),
      },
    ]);
  });

  it('is optional', async () => {
    client.encrypt.mockResolvedValue([wrapped()]);
    await expect(new CloudKms().wrap({ key, plaintext: bytes, aad })).resolves.toMatchObject({
      keyVersion: 1,
    });
  });
});

describe('CloudKms, if Cloud KMS refuses a key version', () => {
  it.each([
    [{ primary: { state: 'DESTROY_SCHEDULED' } }, 'key_destroy_scheduled'],
    [{ primary: null }, 'key_disabled'],
  ])('for wrap, looks up the primary version’s state, and reports %j as %s', async (response, code) => {
    client.encrypt.mockRejectedValue(grpcError(FAILED_PRECONDITION));
    client.getCryptoKey.mockResolvedValue([response]);
    await expect(wrap()).rejects.toMatchObject({ code, key });
    expect(client.getCryptoKey).toHaveBeenCalledExactlyOnceWith({ name: key }, { timeout: 250, retry: null });
    expect(calls).toMatchObject([{ requests: 2, code }]);
  });

  it('for unwrap, looks up the state of the version that the message names', async () => {
    client.decrypt.mockRejectedValue(grpcError(FAILED_PRECONDITION));
    client.getCryptoKeyVersion.mockResolvedValue([{ state: 'DESTROYED' }]);
    await expect(kms.unwrap({ key, ciphertext: bytes, aad, keyVersion: 3 })).rejects.toMatchObject({
      code: 'key_destroyed',
      keyVersion: 3,
    });
    expect(client.getCryptoKeyVersion).toHaveBeenCalledExactlyOnceWith(
      { name: `${key}/cryptoKeyVersions/3` },
      { timeout: 250, retry: null },
    );
    expect(calls).toMatchObject([{ requests: 2, keyVersion: 3 }]);
  });
});

/** Makes the timers report that this process was stalled for this time, and otherwise waited 100 ms. */
function stallFor(milliseconds: number): void {
  const spies = [
    vi.spyOn(WaitTimer.prototype, 'stalledMs', 'get').mockReturnValue(milliseconds),
    vi.spyOn(WaitTimer.prototype, 'waitedMs', 'get').mockReturnValue(100),
  ];
  onTestFinished(() => spies.forEach((spy) => spy.mockRestore()));
}

describe('CloudKms, if this process was stalled during most of an attempt', () => {
  it('repeats the attempt, and neither reports an outage nor opens another connection', async () => {
    stallFor(101);
    client.encrypt.mockRejectedValueOnce(grpcError(DEADLINE_EXCEEDED)).mockResolvedValue([wrapped()]);
    await expect(wrap()).resolves.toMatchObject({ keyVersion: 1 });
    expect(calls).toMatchObject([{ requests: 2 }]);
    expect(calls[0]).not.toHaveProperty('code');
    expect(client.replace).not.toHaveBeenCalled();
  });

  it('repeats the attempt at most three times', async () => {
    stallFor(101);
    for (let attempt = 0; attempt < 4; attempt += 1)
      client.encrypt.mockRejectedValueOnce(grpcError(DEADLINE_EXCEEDED));
    client.encrypt.mockResolvedValue([wrapped()]);
    await expect(wrap()).rejects.toMatchObject({ code: 'kms_unavailable' });
    expect(calls).toMatchObject([{ requests: 4, code: 'kms_unavailable' }]);
  });

  it('does not repeat an attempt that Cloud KMS refused', async () => {
    stallFor(101);
    client.encrypt.mockRejectedValueOnce(grpcError(PERMISSION_DENIED));
    await expect(wrap()).rejects.toMatchObject({ code: 'permission_denied' });
    expect(client.encrypt).toHaveBeenCalledTimes(1);
  });
});

describe('CloudKms, if Cloud KMS does not respond', () => {
  it.each([
    ['opens another connection after the deadline', DEADLINE_EXCEEDED, 1],
    ['keeps the connection after another error', UNAVAILABLE, 0],
  ])('makes one attempt, and %s', async (_, code, replaced) => {
    stallFor(100);
    client.encrypt.mockRejectedValueOnce(grpcError(code));
    await expect(wrap()).rejects.toMatchObject({ code: 'kms_unavailable' });
    expect(client.encrypt).toHaveBeenCalledTimes(1);
    expect(client.replace).toHaveBeenCalledTimes(replaced);
  });
});

it('CloudKms stops the timer of each attempt', async () => {
  const stop = vi.spyOn(WaitTimer.prototype, 'stop');
  onTestFinished(() => stop.mockRestore());
  client.encrypt.mockRejectedValueOnce(grpcError(PERMISSION_DENIED));
  await expect(wrap()).rejects.toMatchObject({ code: 'permission_denied' });
  expect(stop).toHaveBeenCalledTimes(1);
});

describe('CloudKms with a large plaintext', () => {
  const KIB = 1_024;

  it.each([
    ['that exceeds 8 KiB only with its additional authenticated data', 'HSM', 8 * KIB, Buffer.alloc(1)],
    ['of 64 KiB', 'HSM_SINGLE_TENANT', 64 * KIB, aad],
  ])(
    '%s asks once for the protection level, and refuses it for a key of the level %s',
    async (_, level, length, bound) => {
      client.getCryptoKey.mockResolvedValue([{ versionTemplate: { protectionLevel: level } }]);
      for (let call = 0; call < 2; call += 1)
        await expect(wrap(length, bound)).rejects.toMatchObject({ code: 'too_large', key });
      expect(client.getCryptoKey).toHaveBeenCalledExactlyOnceWith(
        { name: key },
        { timeout: 250, retry: null },
      );
      expect(client.encrypt).not.toHaveBeenCalled();
    },
  );

  it.each([
    ['small enough for every key', 8 * KIB],
    ['too large for every key', 64 * KIB + 1],
  ])('does not ask for the protection level if the plaintext is %s', async (_, length) => {
    client.encrypt.mockResolvedValue([wrapped()]);
    await wrap(length).catch(() => undefined);
    expect(client.getCryptoKey).not.toHaveBeenCalled();
  });

  it('learns the protection level from a response to wrap', async () => {
    client.encrypt.mockResolvedValue([wrapped('HSM')]);
    await wrap();
    await expect(wrap(8 * KIB + 1)).rejects.toMatchObject({ code: 'too_large' });
    expect(client.encrypt).toHaveBeenCalledTimes(1);
    expect(client.getCryptoKey).not.toHaveBeenCalled();
  });

  it('sends the plaintext if it may not look up the protection level', async () => {
    client.encrypt.mockResolvedValue([wrapped()]);
    client.getCryptoKey.mockRejectedValue(grpcError(PERMISSION_DENIED));
    await expect(wrap(8 * KIB + 1)).resolves.toMatchObject({ keyVersion: 1 });
  });

  it('looks up a key’s protection level only once, even if the key has none', async () => {
    client.encrypt.mockRejectedValue(grpcError(UNAVAILABLE));
    client.getCryptoKey.mockResolvedValue([{}]);
    for (let call = 0; call < 2; call += 1)
      await expect(wrap(8 * KIB + 1)).rejects.toMatchObject({ code: 'kms_unavailable' });
    expect(client.getCryptoKey).toHaveBeenCalledTimes(1);
  });
});

describe('CloudKms, if Cloud KMS rejects an argument of wrap', () => {
  it.each([
    [
      'too_large for more than 8 KiB under a key of unknown level',
      undefined,
      INVALID_ARGUMENT,
      8_193,
      'too_large',
    ],
    ['key_not_found for at most 8 KiB', undefined, INVALID_ARGUMENT, 8_192, 'key_not_found'],
    ['key_not_found for a software key', 'SOFTWARE', INVALID_ARGUMENT, 8_193, 'key_not_found'],
    ['another error unchanged', undefined, UNAVAILABLE, 8_193, 'kms_unavailable'],
  ])('reports %s', async (_, level, status, length, code) => {
    client.getCryptoKey.mockRejectedValue(grpcError(PERMISSION_DENIED));
    if (level !== undefined) {
      client.encrypt.mockResolvedValueOnce([wrapped(level)]);
      await wrap();
    }
    client.encrypt.mockRejectedValue(grpcError(status));
    await expect(wrap(length)).rejects.toMatchObject({ code, key });
  });
});

it('CloudKms.close closes Google’s client', async () => {
  await kms.close();
  expect(client.close).toHaveBeenCalledTimes(1);
});
