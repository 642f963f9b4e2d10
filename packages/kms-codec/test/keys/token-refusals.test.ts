import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CloudKms } from '../../src/index.ts';
import { isTokenRefusal } from '../../src/keys/token-refusal.ts';
import { cryptoKey } from '../support/codec.ts';

/*
 * Tests Google's client and google-auth-library with a local token endpoint, IAM Credentials API and metadata
 * server.
 */

type Answer = readonly [status: number, body?: unknown];

const key = cryptoKey('k');
const token: Answer = [200, { access_token: 'canary', token_type: 'Bearer', expires_in: 3_600 }];
const oauth = (error: string): Answer => [400, { error, error_description: 'canary' }];
const google = (code: number, status: string): Answer => [
  code,
  { error: { code, status, message: 'canary' } },
];
/**
 * The response for each path, by the last part of the path. For other paths, the server responds with 404. If
 * the response is undefined, the server never responds.
 */
let answers: Record<string, Answer | undefined> = {};
let requests = 0;
let server: Server;
let origin: string;
let folder: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    requests += 1;
    const part = /[/:]([\w-]+)(\?.*)?$/.exec(request.url ?? '')?.[1] ?? '';
    const answer = part in answers ? answers[part] : ([404, 'Not Found'] as const);
    if (answer === undefined) return;
    const [status, body] = answer;
    const isText = typeof body === 'string';
    response.writeHead(status, {
      'content-type': isText ? 'text/plain' : 'application/json',
      'metadata-flavor': 'Google',
    });
    response.end(isText ? body : JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The server listens on a port.
  origin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'identity-'));
  // Without a project, google-auth-library would start `gcloud`, whose start takes seconds on a busy machine.
  vi.stubEnv('PATH', folder);
  // Cloud KMS itself is unreachable, and no test sends requests to Google.
  vi.spyOn(dns.promises, 'lookup').mockRejectedValue(new Error('ENOTFOUND'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await rm(folder, { recursive: true });
});

/** Configures Workload Identity Federation, with or without service account impersonation. */
async function federate(impersonated: boolean, tokenOrigin = origin): Promise<void> {
  const subject = join(folder, 'subject');
  const file = join(folder, 'federation.json');
  await writeFile(subject, 'canary');
  const account = 'projects/-/serviceAccounts/worker@p.iam.gserviceaccount.com';
  const credentials = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `http://${tokenOrigin}/v1/token`,
    credential_source: { file: subject },
    ...(impersonated && {
      service_account_impersonation_url: `http://${origin}/v1/${account}:generateAccessToken`,
    }),
  };
  await writeFile(file, JSON.stringify(credentials));
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file);
  // Without a project, the client needs a token already at startup, to look up its project.
  vi.stubEnv('GOOGLE_CLOUD_PROJECT', impersonated ? '' : 'p');
}

/** Configures Workload Identity in GKE, where a metadata server issues tokens. */
function useMetadata(): void {
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '');
  vi.stubEnv('CLOUDSDK_CONFIG', folder);
  vi.stubEnv('HOME', folder);
  vi.stubEnv('GCE_METADATA_HOST', origin);
  vi.stubEnv('METADATA_SERVER_DETECTION', 'assume-present');
}

/** Returns a call's error, and checks that it contains neither a token nor a response's text. */
async function failure(attemptTimeoutMs = 10_000): Promise<unknown> {
  const kms = new CloudKms({ attemptTimeoutMs });
  const wrap = () => kms.wrap({ key, plaintext: new Uint8Array(32), aad: new Uint8Array() });
  const error: unknown = await wrap().catch((caught: unknown) => caught);
  for (let at = error; at instanceof Error; at = at.cause)
    expect(`${at.message}${at.stack}`).not.toMatch(/canary|127\.0\.0\.1/);
  await kms.close();
  return error;
}

describe('a refusal', () => {
  const denied = { code: 'permission_denied', class: 'restorable', key };

  it.each([
    ['400 access_denied', oauth('access_denied')],
    ['400 invalid_client', oauth('invalid_client')],
    ['400 invalid_grant', oauth('invalid_grant')],
    ['400 invalid_target, because the pool or its provider was deleted', oauth('invalid_target')],
    ['400 unauthorized_client', oauth('unauthorized_client')],
    ['401', [401, { error: 'invalid_client' }]],
    ['403 without JSON', [403, 'Forbidden']],
  ] as const)('by the token endpoint is reported as permission_denied: %s', async (_, answer) => {
    await federate(false);
    answers = { token: answer };
    expect(await failure()).toMatchObject(denied);
  });

  it.each([
    ['401', google(401, 'UNAUTHENTICATED')],
    ['403, because the binding was deleted', google(403, 'PERMISSION_DENIED')],
    ['404, because the service account was deleted', google(404, 'NOT_FOUND')],
  ])('by the IAM Credentials API is reported as permission_denied: %s', async (_, answer) => {
    await federate(true);
    answers = { token, generateAccessToken: answer };
    expect(await failure()).toMatchObject(denied);
  });

  it('by the metadata server is reported as permission_denied', async () => {
    useMetadata();
    answers = { token: [403, 'Unable to generate access token'], 'universe-domain': [200, 'googleapis.com'] };
    expect(await failure()).toMatchObject(denied);
  });
});

describe('a failure that is not a refusal', () => {
  const unavailable = { code: 'kms_unavailable', retryable: true, key };

  it.each([
    ['400 for another reason', oauth('invalid_request')],
    ['400 without JSON', [400, 'invalid_grant']],
    ['404 without a reason', [404, 'Not Found']],
    ['429', [429, { error: 'rate_limited' }]],
    ['503', [503, { error: { status: 'PERMISSION_DENIED' } }]],
    ['no response', undefined],
  ] as const)('from the token endpoint is reported as kms_unavailable: %s', async (_, answer) => {
    await federate(false);
    answers = { token: answer };
    expect(await failure(400)).toMatchObject({
      ...unavailable,
      message: expect.stringMatching(/no access token/),
    });
  });

  it('is reported as kms_unavailable if the token endpoint refuses the connection', async () => {
    await federate(false, '127.0.0.1:1');
    expect(await failure(400)).toMatchObject(unavailable);
  });

  it('is reported as kms_unavailable if the identity’s file cannot be read', async () => {
    await federate(false);
    await rm(join(folder, 'subject'));
    expect(await failure()).toMatchObject(unavailable);
  });

  it('is recognized as such even if there was no response', () => {
    expect(isTokenRefusal(new Error('ENOTFOUND'))).toBe(false);
  });

  it('is reported as a failure of the Cloud KMS call if a token was issued', async () => {
    await federate(true);
    const expireTime = new Date(Date.now() + 3_600_000).toISOString();
    answers = { token, generateAccessToken: [200, { accessToken: 'canary', expireTime }] };
    expect(await failure()).toMatchObject({
      ...unavailable,
      message: expect.stringMatching(/call to Cloud KMS/),
    });
  });
});

it('CloudKms does not call the metadata server if it uses an emulator', async () => {
  useMetadata();
  answers = { token, 'universe-domain': [200, 'googleapis.com'] };
  requests = 0;
  const kms = new CloudKms({ emulatorHost: '127.0.0.1:1', attemptTimeoutMs: 2_000 });
  await expect(kms.describe(key)).rejects.toMatchObject({ code: 'kms_unavailable' });
  await kms.close();
  expect(requests).toBe(0);
});
