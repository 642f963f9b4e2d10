import { beforeEach, describe, expect, it } from 'vitest';
import { KmsCodecError } from '../../src/errors.ts';
import { WatchedKeyService } from '../../src/keys/watched-key-service.ts';
import { cryptoKey } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';

const key = cryptoKey('pay');
const outage = new KmsCodecError('kms_unavailable', 'no response');

let time: number;
let keyService: FakeKeyService;
let watched: WatchedKeyService;
beforeEach(() => {
  time = 1_000;
  keyService = new FakeKeyService();
  watched = new WatchedKeyService(keyService, () => time);
});

/** Starts a call at this time. The returned functions end the call. */
function callAt(start: number) {
  const response = Promise.withResolvers<Uint8Array>();
  time = start;
  keyService.unwrap = () => response.promise;
  const ended = watched.unwrap({ key, ciphertext: new Uint8Array(), aad: new Uint8Array() });
  return {
    async respond() {
      response.resolve(new Uint8Array());
      await ended;
    },
    async fail(error: Error) {
      response.reject(error);
      await expect(ended).rejects.toBe(error);
    },
  };
}

describe('WatchedKeyService.failure', () => {
  it('ignores a failed call if Cloud KMS has responded to a later call', async () => {
    const [first, second, third] = [callAt(1_000), callAt(1_001), callAt(1_002)];
    await third.respond();
    // The first call began before the third, so the third remains the latest call with a response.
    await first.respond();
    await second.fail(outage);
    expect(watched.failure([key])).toBeUndefined();
  });

  it('returns the failure of a call that began at the same time as a call that got a response', async () => {
    const [first, second] = [callAt(1_000), callAt(1_000)];
    await first.respond();
    await second.fail(outage);
    expect(watched.failure([key])).toBe('kms_unavailable');
  });

  it('counts an error of another library neither as a response nor as an outage', async () => {
    await callAt(1_000).fail(new Error('other'));
    expect(watched.failure([key])).toBeUndefined();
    await callAt(1_001).fail(outage);
    await callAt(1_002).fail(new Error('other'));
    expect(watched.failure([key])).toBe('kms_unavailable');
  });
});
