import { describe, expect, it } from 'vitest';
import { crc32c } from '../src/crypto/crc32c.ts';
import { code } from './conformance/fixture.ts';
import { asBuffer, refusal, refusalCode } from './support/client.ts';
import { clientOf, KEY, RING, start } from './support/running.ts';

const plaintext = Buffer.from('a secret');
const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;

async function started() {
  const { emulator, client } = await start({ keys: [KEY], identities: { 'a@example.com': 0 } });
  await emulator.setPolicy('projects/p', [{ role: 'roles/owner', members: ['user:a@example.com'] }]);
  return { emulator, client, encrypt: () => client.encrypt({ name: KEY, plaintext }) };
}

describe('faults', () => {
  it('make as many calls fail as `times` specifies', async () => {
    const { emulator, encrypt } = await started();
    emulator.injectFault({
      effect: { kind: 'error', status: 'UNAVAILABLE', message: 'gone fishing' },
      times: 2,
    });
    for (const _ of [1, 2]) {
      expect(await refusal(encrypt())).toMatchObject({ code: UNAVAILABLE, details: 'gone fishing' });
    }
    await expect(encrypt()).resolves.toBeDefined();
    expect(emulator.faults()).toEqual([]);
  });

  it('make calls fail for as long as `seconds` specifies', async () => {
    const { emulator, encrypt } = await started();
    emulator.injectFault({ effect: { kind: 'error', status: 'INTERNAL' }, seconds: 30 });
    expect(await refusalCode(encrypt())).toBe(13);
    await emulator.advance(15);
    expect(await refusalCode(encrypt())).toBe(13);
    await emulator.advance(16);
    await expect(encrypt()).resolves.toBeDefined();
  });

  it('affect only calls with the given method, identity and resource', async () => {
    const { emulator, client, encrypt } = await started();
    const other = clientOf(emulator.identities['a@example.com'] ?? '');
    const effect = { kind: 'error', status: 'ABORTED' } as const;
    emulator.injectFault({ effect, method: 'Decrypt' });
    const [encrypted] = await encrypt();
    const ciphertext = encrypted.ciphertext ?? '';
    expect(await refusalCode(client.decrypt({ name: KEY, ciphertext }))).toBe(code.ABORTED);
    emulator.clearFaults();

    emulator.injectFault({ effect, identity: 'user:a@example.com' });
    await expect(encrypt()).resolves.toBeDefined();
    expect(await refusalCode(other.encrypt({ name: KEY, plaintext }))).toBe(code.ABORTED);
    emulator.clearFaults();

    emulator.injectFault({ effect, resource: `${RING}/cryptoKeys/k2` });
    await expect(encrypt()).resolves.toBeDefined();
    expect(await refusalCode(client.encrypt({ name: `${RING}/cryptoKeys/k2`, plaintext }))).toBe(
      code.ABORTED,
    );
  });

  it('apply in the order of their injection', async () => {
    const { emulator, encrypt } = await started();
    emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' }, times: 1 });
    emulator.injectFault({ effect: { kind: 'error', status: 'RESOURCE_EXHAUSTED' }, times: 1 });
    expect(await refusalCode(encrypt())).toBe(UNAVAILABLE);
    expect(await refusalCode(encrypt())).toBe(code.RESOURCE_EXHAUSTED);
  });

  it('leave a call without a response until the call’s deadline', async () => {
    const { emulator, client, encrypt } = await started();
    await encrypt();
    emulator.calls.reset();
    emulator.injectFault({ effect: { kind: 'hang' } });
    // After a stall, the deadline may have passed before the call reaches the emulator, so one call may not be
    // enough.
    const calls = async () => {
      const call = client.encrypt({ name: KEY, plaintext }, { retry: null, timeout: 1000 });
      expect(await refusalCode(call)).toBe(DEADLINE_EXCEEDED);
      return emulator.calls.rows('Encrypt');
    };
    await expect.poll(calls, { timeout: 40_000 }).toMatchObject([{ status: 'CANCELLED' }]);
  });

  it('corrupt a response so that its checksum does not match', async () => {
    const { emulator, client, encrypt } = await started();
    emulator.injectFault({ effect: { kind: 'corrupt_response' }, times: 1 });
    const [spoilt] = await encrypt();
    expect(crc32c(asBuffer(spoilt.ciphertext))).not.toBe(Number(spoilt.ciphertextCrc32c?.value));
    const [encrypted] = await encrypt();
    emulator.injectFault({ effect: { kind: 'corrupt_response' }, times: 1 });
    const [decrypted] = await client.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' });
    expect(crc32c(asBuffer(decrypted.plaintext))).not.toBe(Number(decrypted.plaintextCrc32c?.value));
  });

  it('drop the checksums of a request, so that nothing is verified', async () => {
    const { emulator, client } = await started();
    const request = { name: KEY, plaintext, plaintextCrc32c: { value: crc32c(plaintext) } };
    emulator.injectFault({ effect: { kind: 'drop_checksums' }, times: 1 });
    const [unverified] = await client.encrypt(request);
    expect(unverified.verifiedPlaintextCrc32c).toBe(false);
    const [verified] = await client.encrypt(request);
    expect(verified.verifiedPlaintextCrc32c).toBe(true);
  });

  it('do not keep calls open when the emulator closes, even if the calls hang', async () => {
    const { emulator, client } = await started();
    emulator.injectFault({ effect: { kind: 'hang' } });
    const call = refusal(client.encrypt({ name: KEY, plaintext }, { retry: null, timeout: 50_000 }));
    await expect.poll(() => emulator.calls.inFlight()).toBe(1);
    const before = Date.now();
    await emulator.close();
    await call;
    expect(Date.now() - before).toBeLessThan(30_000);
  });
});

async function timed(call: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await call();
  return performance.now() - before;
}

describe('latency', () => {
  it('delays all methods, or an individual method', async () => {
    const { emulator, client, encrypt } = await started();
    await encrypt();
    emulator.setLatency({ methods: { Encrypt: 300 } });
    expect(await timed(encrypt)).toBeGreaterThan(290);
    emulator.setLatency({ methods: { Encrypt: 50_000 } });
    const first = await Promise.race([
      encrypt().then(() => 'Encrypt'),
      client.getCryptoKey({ name: KEY }).then(() => 'GetCryptoKey'),
    ]);
    expect(first).toBe('GetCryptoKey');
    emulator.setLatency({ all: 300, methods: {} });
    expect(await timed(() => client.getCryptoKey({ name: KEY }))).toBeGreaterThan(290);
  });
});

describe('quotas', () => {
  it('refuse calls beyond the limit of their kind until the next minute', async () => {
    const { emulator, client, encrypt } = await started();
    await emulator.setTime(new Date('2027-01-01T00:00:00Z'));
    emulator.setQuotas({ software: 2, read: 1 });
    await encrypt();
    await encrypt();
    expect(await refusal(encrypt())).toMatchObject({
      code: code.RESOURCE_EXHAUSTED,
      details: expect.stringMatching(
        /^Quota exceeded for quota metric 'Software usage'.*cloudkms\.googleapis\.com/,
      ),
      reason: 'RATE_LIMIT_EXCEEDED',
      domain: 'googleapis.com',
    });
    await client.getCryptoKey({ name: KEY });
    expect(await refusalCode(client.getCryptoKey({ name: KEY }))).toBe(code.RESOURCE_EXHAUSTED);
    await emulator.advance(60);
    await expect(encrypt()).resolves.toBeDefined();
  });
});

describe('call counts', () => {
  it('are grouped by method, identity, resource and outcome', async () => {
    const { emulator, client, encrypt } = await started();
    await encrypt();
    await encrypt();
    await refusal(client.encrypt({ name: `${RING}/cryptoKeys/none`, plaintext }));
    await refusal(client.macSign({ name: `${KEY}/cryptoKeyVersions/1`, data: plaintext }));
    expect(emulator.calls.count('Encrypt')).toBe(3);
    expect(emulator.calls.rows()).toEqual([
      { method: 'Encrypt', identity: 'owner', resource: KEY, status: 'OK', count: 2 },
      {
        method: 'Encrypt',
        identity: 'owner',
        resource: `${RING}/cryptoKeys/none`,
        status: 'NOT_FOUND',
        count: 1,
      },
      {
        method: 'MacSign',
        identity: 'owner',
        resource: `${KEY}/cryptoKeyVersions/1`,
        status: 'UNIMPLEMENTED',
        count: 1,
      },
    ]);
    emulator.reset();
    expect(emulator.calls.count()).toBe(0);
  });
});
