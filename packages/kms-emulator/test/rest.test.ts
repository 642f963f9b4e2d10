import { describe, expect, it } from 'vitest';
import { crc32c } from '../src/crypto/crc32c.ts';
import { startEmulator } from '../src/index.ts';
import { afterwards, DAY, KEY, RING, start, statusOf, VERSION } from './support/running.ts';

const LOCATION = 'projects/p/locations/global';
const EMAIL = 'worker@p.iam.gserviceaccount.com';

async function started(options: Parameters<typeof start>[0] = { keys: [KEY] }) {
  const { emulator } = await start(options);
  return { emulator, send: sender(emulator.url) };
}

/** Returns a function that sends a REST request with JSON, and returns the status and the JSON of the response. */
const sender =
  (url: string) =>
  async (method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> => {
    const response = await fetch(`${url}/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };

const invalid = (message: unknown) => ({
  status: 400,
  body: { error: { code: 400, status: 'INVALID_ARGUMENT', message } },
});

describe('REST', () => {
  it('returns proto3 JSON: base64, 64-bit numbers as text, times, durations, and no default values', async () => {
    const { emulator, send } = await started();
    const { body: key } = await send('GET', `v1/${KEY}?alt=json`);
    expect(key).toEqual({
      name: KEY,
      purpose: 'ENCRYPT_DECRYPT',
      createTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
      destroyScheduledDuration: '2592000s',
      versionTemplate: { protectionLevel: 'SOFTWARE', algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
      primary: expect.objectContaining({ name: VERSION, state: 'ENABLED' }),
    });
    const plaintext = Buffer.from('secret').toString('base64');
    const plaintextCrc32c = String(crc32c(Buffer.from('secret')));
    const { body: encrypted } = await send('POST', `v1/${KEY}:encrypt`, { plaintext, plaintextCrc32c });
    expect(encrypted).toMatchObject({
      name: VERSION,
      ciphertext: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/),
      ciphertextCrc32c: expect.stringMatching(/^\d+$/),
      verifiedPlaintextCrc32c: true,
    });
    // gcloud sends URL-safe base64.
    const ciphertext = encrypted.ciphertext.replaceAll('+', '-').replaceAll('/', '_');
    const { body: decrypted } = await send('POST', `v1/${KEY}:decrypt`, { ciphertext });
    expect(decrypted).toMatchObject({ plaintext, usedPrimary: true });
    expect(emulator.calls.rows('Decrypt')).toMatchObject([
      { identity: 'owner', resource: KEY, status: 'OK' },
    ]);
  });

  it('accepts Terraform’s requests for key rings, keys, updates, policies, versions and destruction', async () => {
    const { send } = await started({});
    const ok = async (...args: Parameters<typeof send>) => {
      const { status, body } = await send(...args);
      expect({ status, body }).toMatchObject({ status: 200 });
      return body;
    };
    await ok('POST', `v1/${LOCATION}/keyRings?alt=json&keyRingId=r`, {});
    const next = new Date(Date.now() + 30 * DAY * 1000).toISOString();
    await ok('POST', `v1/${RING}/cryptoKeys?alt=json&cryptoKeyId=k&skipInitialVersionCreation=false`, {
      labels: { team: 'payments' },
      purpose: 'ENCRYPT_DECRYPT',
      rotationPeriod: '7776000s',
      nextRotationTime: next,
      destroyScheduledDuration: '86400s',
      versionTemplate: { algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protectionLevel: 'HSM' },
    });
    const mask = 'labels%2CrotationPeriod%2CnextRotationTime';
    const updated = await ok('PATCH', `v1/${KEY}?alt=json&updateMask=${mask}`, {
      labels: {},
      rotationPeriod: '864000s',
      nextRotationTime: next,
    });
    expect(updated).toMatchObject({ rotationPeriod: '864000s', destroyScheduledDuration: '86400s' });
    expect(updated).not.toHaveProperty('labels');
    // A field mask may also contain the names in the proto, which are in snake_case.
    await ok('PATCH', `v1/${KEY}?updateMask=rotation_period,next_rotation_time`, {});
    expect(await ok('GET', `v1/${KEY}`)).not.toHaveProperty('rotationPeriod');

    const policy = await ok(
      'GET',
      `v1/${KEY}:getIamPolicy?alt=json&options.requestedPolicyVersion=3&prettyPrint=false`,
    );
    const bindings = [{ role: 'roles/cloudkms.viewer', members: ['user:a@example.com'] }];
    await ok('POST', `v1/${KEY}:setIamPolicy`, { policy: { version: 3, etag: policy.etag, bindings } });
    expect(await ok('GET', `v1/${KEY}:getIamPolicy`)).toMatchObject({ version: 1, bindings });
    await ok('POST', `v1/projects/p:setIamPolicy`, { policy: { bindings } });
    expect(await ok('POST', `v1/projects/p:getIamPolicy`, {})).toMatchObject({ bindings });

    await ok('POST', `v1/${KEY}/cryptoKeyVersions`, {});
    await ok('PATCH', `v1/${KEY}/cryptoKeyVersions/2?updateMask=state`, { state: 'DISABLED' });
    expect(await ok('POST', `v1/${VERSION}:destroy`, {})).toMatchObject({ state: 'DESTROY_SCHEDULED' });
    expect(await send('DELETE', `v1/${KEY}`)).toMatchObject({
      status: 501,
      body: { error: { status: 'UNIMPLEMENTED' } },
    });
  });

  it('pages through lists', async () => {
    const { send } = await started();
    for (let number = 2; number <= 5; number += 1) await send('POST', `v1/${KEY}/cryptoKeyVersions`, {});
    const list = `v1/${KEY}/cryptoKeyVersions?pageSize=2&orderBy=${encodeURIComponent('name desc')}`;
    const names: string[] = [];
    let token = '';
    do {
      // oxlint-disable-next-line no-await-in-loop -- each page contains the next page's token
      const { body } = await send('GET', `${list}&pageToken=${token}`);
      names.push(...body.cryptoKeyVersions.map(({ name }: { name: string }) => name.split('/').at(-1)));
      token = body.nextPageToken ?? '';
    } while (token !== '');
    expect(names).toEqual(['5', '4', '3', '2', '1']);
    expect(await send('GET', `${list}&pageToken=forged`)).toMatchObject(
      invalid('The field page_token is invalid.'),
    );
  });

  it('returns locations with their metadata, even with a query parameter for the format', async () => {
    const { send } = await started();
    const { body } = await send('GET', 'v1/projects/p/locations/us-east1?$alt=json;enum-encoding=int');
    expect(body.metadata).toEqual({
      '@type': 'type.googleapis.com/google.cloud.kms.v1.LocationMetadata',
      hsmAvailable: true,
    });
    expect((await send('GET', 'v1/projects/p/locations?pageSize=3')).body.locations).toHaveLength(3);
  });

  it('returns errors in Google’s form with their typed details', async () => {
    const { emulator, send } = await started();
    await send('PATCH', `v1/${VERSION}?updateMask=state`, { state: 'DISABLED' });
    expect(await send('POST', `v1/${KEY}:encrypt`, { plaintext: 'eA==' })).toEqual({
      status: 400,
      body: {
        error: {
          code: 400,
          message: `${VERSION} is not enabled, current state is: DISABLED.`,
          status: 'FAILED_PRECONDITION',
          details: [
            {
              '@type': 'type.googleapis.com/google.rpc.PreconditionFailure',
              violations: [{ type: 'KEY_DISABLED', subject: VERSION }],
            },
          ],
        },
      },
    });
    emulator.setQuotas({ read: 0 });
    expect(await send('GET', `v1/${KEY}`)).toMatchObject({
      status: 429,
      body: {
        error: {
          status: 'RESOURCE_EXHAUSTED',
          details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'RATE_LIMIT_EXCEEDED' }],
        },
      },
    });
    emulator.reset();
    expect(await send('GET', `v1/${RING}/cryptoKeys/none`)).toMatchObject({ status: 404 });
    expect(await send('POST', `v1/${LOCATION}/keyRings?keyRingId=r`, {})).toMatchObject({ status: 409 });
  });

  it.each([
    ['an unknown field', 'POST', `v1/${KEY}:encrypt`, { plaintext: 'eA==', colour: 'red' }, /colour/],
    [
      'a field of the prototype',
      'POST',
      `v1/${KEY}:encrypt`,
      '{"__proto__": {"plaintext": "eA=="}}',
      /__proto__/,
    ],
    ['an unknown parameter', 'GET', `v1/${KEY}?colour=red`, undefined, /"colour"/],
    [
      'an unknown nested parameter',
      'GET',
      `v1/${KEY}:getIamPolicy?options.colour=1`,
      undefined,
      /options\.colour/,
    ],
    ['a parameter that belongs in the body', 'POST', `v1/${KEY}:encrypt?plaintext=eA==`, {}, /plaintext/],
    ['text that is not base64', 'POST', `v1/${KEY}:encrypt`, { plaintext: '!!' }, /encoding/],
    ['a number for bytes', 'POST', `v1/${KEY}:encrypt`, { plaintext: 7 }, /plaintext/],
    ['a checksum that is not a number', 'POST', `v1/${KEY}:encrypt`, { plaintextCrc32c: 'x' }, /Int64Value/],
    ['an unknown enum value', 'PATCH', `v1/${VERSION}?updateMask=state`, { state: 'BROKEN' }, /state/],
    [
      'a malformed duration',
      'PATCH',
      `v1/${KEY}?updateMask=rotationPeriod`,
      { rotationPeriod: '90d' },
      /Duration/,
    ],
    [
      'a malformed time',
      'PATCH',
      `v1/${KEY}?updateMask=nextRotationTime`,
      { nextRotationTime: 'soon' },
      /Timestamp/,
    ],
    ['a body that is not JSON', 'POST', `v1/${KEY}:encrypt`, '{', /not JSON/],
    ['a body that is not an object', 'POST', `v1/${KEY}:encrypt`, '[]', /not an object/],
    ['another format', 'GET', `v1/${KEY}?alt=proto`, undefined, /format proto/],
    ['a path that is not percent-encoded', 'GET', `v1/${RING}/cryptoKeys/%ff`, undefined, /percent-encoded/],
    [
      'a body of more than 1 MiB',
      'POST',
      `v1/${KEY}:encrypt`,
      { plaintext: 'A'.repeat(1024 * 1024) },
      /larger/,
    ],
  ])('refuses %s', async (_, method, path, body, message) => {
    const { send } = await started();
    expect(await send(method, path, body)).toMatchObject(invalid(expect.stringMatching(message)));
  });

  it.each([
    ['GET', 'v1/nothing'],
    ['PUT', `v1/${KEY}`],
    ['GET', `v1/${RING}:getSomething`],
    ['GET', `v2/${KEY}`],
  ])('has no route for %s %s', async (method, path) => {
    const { send } = await started();
    expect(await send(method, path)).toMatchObject({ status: 404, body: { error: { status: 'NOT_FOUND' } } });
  });

  it('permits only what policies grant to the identity whose port receives the request', async () => {
    const { emulator } = await started({ keys: [KEY], identities: { [EMAIL]: 0 } });
    const send = sender(`http://${emulator.identities[EMAIL]}`);
    expect(await send('GET', `v1/${KEY}`)).toMatchObject({
      status: 403,
      body: {
        error: {
          status: 'PERMISSION_DENIED',
          message: `Permission 'cloudkms.cryptoKeys.get' denied on resource '${KEY}' (or it may not exist).`,
        },
      },
    });
    await emulator.setPolicy(KEY, [{ role: 'roles/cloudkms.viewer', members: [`serviceAccount:${EMAIL}`] }]);
    expect(await send('GET', `v1/${KEY}`)).toMatchObject({ status: 200, body: { name: KEY } });
    const permissions = ['cloudkms.cryptoKeys.get', 'cloudkms.cryptoKeyVersions.useToEncrypt'];
    const { body } = await send('POST', `v1/${KEY}:testIamPermissions`, { permissions });
    expect(body).toEqual({ permissions: ['cloudkms.cryptoKeys.get'] });
  });

  it.each([
    [403, { host: 'attacker.example' }],
    [403, { origin: 'https://attacker.example' }],
    [415, { 'content-type': 'text/plain' }],
  ])('returns %i for a request that a web page could send: %j', async (status, headers) => {
    const { emulator } = await started();
    const json = { 'content-type': 'application/json', ...headers };
    expect(await statusOf(`${emulator.url}/v1/${VERSION}:destroy`, 'POST', json, '{}')).toBe(status);
    expect(emulator.calls.count()).toBe(0);
  });

  it('ends a call when the client disconnects, and all calls when the emulator stops', async () => {
    const emulator = await startEmulator({ keys: [KEY] });
    afterwards(() => emulator.close());
    emulator.injectFault({ effect: { kind: 'hang' } });
    const abort = new AbortController();
    const left = fetch(`${emulator.url}/v1/${KEY}`, { signal: abort.signal }).catch(() => 'aborted');
    const waiting = fetch(`${emulator.url}/v1/${KEY}`).then(({ status }) => status);
    await expect.poll(() => emulator.calls.inFlight()).toBe(2);
    abort.abort();
    expect(await left).toBe('aborted');
    await expect.poll(() => emulator.calls.inFlight()).toBe(1);
    await emulator.close();
    expect(await waiting).toBe(499);
  });
});
