import { describe, expect, it } from 'vitest';
import { refusal, refusalCode } from './support/client.ts';
import { code } from './conformance/fixture.ts';
import { DAY, KEY, start, statusOf, VERSION } from './support/running.ts';

const plaintext = Buffer.from('x');

async function started() {
  const { emulator, client } = await start({ keys: [KEY] });
  const send = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${emulator.controlUrl}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };
  return { emulator, client, send };
}

describe('the control API', () => {
  it('reports its status and the emulator’s addresses', async () => {
    const { emulator, send } = await started();
    expect(await send('GET', '/healthz')).toEqual({
      status: 200,
      body: { status: 'ok', address: emulator.address, identities: {} },
    });
  });

  it('moves the clock, and performs rotations and destructions that become due', async () => {
    const { client, send } = await started();
    await client.destroyCryptoKeyVersion({ name: VERSION });
    const before = Date.parse((await send('GET', '/clock')).body.now);
    const { body } = await send('PUT', '/clock', { advanceSeconds: 31 * DAY });
    expect(Date.parse(body.now) - before).toBeGreaterThanOrEqual(31 * DAY * 1000);
    expect((await client.getCryptoKeyVersion({ name: VERSION }))[0].state).toBe('DESTROYED');
    expect((await send('PUT', '/clock', { now: '2030-05-01T12:00:00Z' })).body.now).toMatch(
      /^2030-05-01T12:00:00/,
    );
    const real = Date.parse((await send('DELETE', '/clock')).body.now);
    expect(Math.abs(real - Date.now())).toBeLessThan(60_000);
  });

  it('injects, lists and clears faults', async () => {
    const { client, send } = await started();
    const fault = { effect: { kind: 'error', status: 'UNAVAILABLE' }, method: 'Encrypt', times: 5 };
    expect(await send('POST', '/faults', fault)).toMatchObject({
      status: 201,
      body: { ...fault, remaining: 5 },
    });
    expect(await refusalCode(client.encrypt({ name: KEY, plaintext }))).toBe(14);
    expect((await send('GET', '/faults')).body).toMatchObject([{ ...fault, remaining: 4 }]);
    expect((await send('DELETE', '/faults')).status).toBe(204);
    await expect(client.encrypt({ name: KEY, plaintext })).resolves.toBeDefined();
  });

  it('sets and resets latency, propagation and quotas', async () => {
    const { client, send } = await started();
    expect((await send('PUT', '/latency', { methods: { Encrypt: 5 } })).body).toEqual({
      all: 0,
      methods: { Encrypt: 5 },
    });
    expect((await send('PUT', '/propagation', { disable: 60 })).body).toMatchObject({
      disable: 60,
      primary: 0,
    });
    expect((await send('PUT', '/quotas', { software: 0 })).body).toEqual({ software: 0 });
    expect(await refusalCode(client.encrypt({ name: KEY, plaintext }))).toBe(code.RESOURCE_EXHAUSTED);
    expect((await send('POST', '/reset')).status).toBe(204);
    expect((await send('GET', '/latency')).body).toEqual({ all: 0, methods: {} });
    expect((await send('GET', '/propagation')).body).toMatchObject({ disable: 0 });
    expect((await send('GET', '/quotas')).body).toEqual({});
    await expect(client.encrypt({ name: KEY, plaintext })).resolves.toBeDefined();
  });

  it('counts calls, and resets the counts', async () => {
    const { client, send } = await started();
    await client.encrypt({ name: KEY, plaintext });
    await client.getCryptoKey({ name: KEY });
    expect((await send('GET', '/calls')).body).toMatchObject({ total: 2, inFlight: 0 });
    expect((await send('GET', '/calls?method=Encrypt')).body).toEqual({
      total: 1,
      inFlight: 0,
      rows: [{ method: 'Encrypt', identity: 'owner', resource: KEY, status: 'OK', count: 1 }],
    });
    expect((await send('DELETE', '/calls')).status).toBe(204);
    expect((await send('GET', '/calls')).body.total).toBe(0);
  });

  it('reads and replaces policies, including those of projects', async () => {
    const { send } = await started();
    const bindings = [{ role: 'roles/cloudkms.viewer', members: ['user:a@example.com'] }];
    for (const resource of ['projects/p', KEY]) {
      expect((await send('GET', `/policies/${resource}`)).body).toEqual({ bindings: [] });
      expect((await send('PUT', `/policies/${resource}`, { bindings })).body).toEqual({ bindings });
      expect((await send('GET', `/policies/${resource}`)).body).toEqual({ bindings });
    }
    expect((await send('PUT', '/policies/nothing', { bindings })).status).toBe(400);
  });

  it.each([
    ['IMPORT_FAILED', 'importFailureReason'],
    ['GENERATION_FAILED', 'generationFailureReason'],
    ['EXTERNAL_DESTRUCTION_FAILED', 'externalDestructionFailureReason'],
  ] as const)(
    'puts a version into the state %s with a reason, although no RPC can do this',
    async (state, field) => {
      const { client, send } = await started();
      await send('POST', '/versions', { name: VERSION, state, reason: 'because' });
      const [version] = await client.getCryptoKeyVersion({ name: VERSION });
      expect(version).toMatchObject({ state, [field]: 'because' });
      expect(await refusal(client.encrypt({ name: KEY, plaintext }))).toMatchObject({
        code: code.FAILED_PRECONDITION,
        details: `${VERSION} is not enabled, current state is: ${state}.`,
        statusDetails: [{ violations: [{ type: `KEY_${state}`, subject: VERSION }] }],
      });
      const enable = await send('POST', '/versions', { name: VERSION, state: 'ENABLED' });
      expect(enable).toMatchObject({ status: 400, body: { status: 'FAILED_PRECONDITION' } });
    },
  );

  it.each(['PENDING_GENERATION', 'PENDING_IMPORT', 'DISABLED', 'DESTROY_SCHEDULED'])(
    'puts a version into the state %s and back',
    async (state) => {
      const { client, send } = await started();
      await send('POST', '/versions', { name: VERSION, state });
      expect((await client.getCryptoKeyVersion({ name: VERSION }))[0].state).toBe(state);
      expect(await refusalCode(client.encrypt({ name: KEY, plaintext }))).toBe(code.FAILED_PRECONDITION);
      await send('POST', '/versions', { name: VERSION, state: 'ENABLED' });
      await expect(client.encrypt({ name: KEY, plaintext })).resolves.toBeDefined();
    },
  );

  it('explains mistakes in a body, and reports paths that do not exist', async () => {
    const { send } = await started();
    const wrong: [string, string, unknown, string][] = [
      ['PUT', '/clock', {}, 'Invalid input'],
      ['PUT', '/clock', { now: 'tomorrow' }, 'Invalid ISO datetime'],
      ['POST', '/faults', { effect: { kind: 'error', status: 'NO_SUCH' } }, 'effect.status'],
      ['POST', '/faults', { effect: { kind: 'hang' }, tmies: 1 }, 'tmies'],
      ['PUT', '/latency', { all: -1 }, 'all'],
      ['POST', '/versions', { name: VERSION, state: 'GONE' }, 'state'],
      ['POST', '/versions', { name: `${VERSION}2`, state: 'DISABLED' }, 'not found'],
    ];
    for (const [method, path, body, message] of wrong) {
      const answer = await send(method, path, body);
      expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining(message) } });
    }
    expect(await send('GET', '/nothing')).toEqual({
      status: 404,
      body: { error: 'There is no GET /nothing.' },
    });
  });
});

describe('the control API called by a web page', () => {
  it('refuses a foreign Host, because the page’s own domain can resolve to loopback', async () => {
    const { emulator } = await start();
    expect(await statusOf(`${emulator.controlUrl}/calls`, 'GET', { host: 'evil.example:80' })).toBe(403);
    expect(await statusOf(`${emulator.controlUrl}/calls`, 'GET', { host: '127.0.0.1.evil.example' })).toBe(
      403,
    );
    expect(await statusOf(`${emulator.controlUrl}/calls`, 'GET', {})).toBe(200);
  });

  it('refuses every Origin', async () => {
    const { emulator } = await start();
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:5173']) {
      expect(await statusOf(`${emulator.controlUrl}/reset`, 'POST', { origin })).toBe(403);
    }
  });

  it('refuses bodies that a browser sends without a preflight', async () => {
    const { emulator } = await start();
    const body = JSON.stringify({ advanceSeconds: 40 * DAY });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      expect(await statusOf(`${emulator.controlUrl}/clock`, 'PUT', { 'content-type': type }, body)).toBe(415);
    }
  });
});
