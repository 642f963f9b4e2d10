import { apiError, MAX_REFS } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { RUN } from '../support/routes.ts';
import { appWith, headers, post, startKms } from '../support/stack.ts';

// The Temporal service in this file fails the test if it is called, so the server must reject each of these
// requests earlier.
const kms = forFile(await startKms());

const NS = '/api/namespaces/payments';

async function refusal(response: Response, status: number, code: string): Promise<string> {
  const body = apiError.parse(await response.json());
  expect([response.status, body.error.code]).toEqual([status, code]);
  return body.error.message;
}

describe('an invalid request that must not reach Temporal', () => {
  it.each([
    [`${NS}/workflows?pageSize=0`],
    [`${NS}/workflows?pageSize=1001`],
    [`${NS}/workflows?pageSize=ten`],
    [`${NS}/workflows?pageToken=%00%ff`],
    [`${NS}/workflows?pageToken=a%20b`],
    [`${NS}/workflows?query=${'a'.repeat(15_001)}`],
    [`${NS}/workflows:count?query=${'a'.repeat(15_001)}`],
    [`${NS}/workflows/w?runId=1`],
    [`${NS}/workflows/${'w'.repeat(1001)}`],
    [`${NS}/workflows/w/runs/latest/history`],
    [`${NS}/workflows/w/runs/0b6e0a2c54e04f5a9d7a0e9d7ad4a3aa/history`],
    [`${RUN}/history?after=-1`],
    [`${RUN}/history?after=1e3`],
    [`${RUN}/history?after=CiQwYjZlMGEyYw==`],
    [`${RUN}/history?live=maybe`],
    [`${RUN}/history?limit=0`],
    [`${RUN}/history?limit=1e3`],
  ])('gets 400: GET %s', async (path) => {
    const message = await refusal(await appWith(kms).request(path, { headers }), 400, 'bad_request');
    expect(message).not.toContain('aaaa');
  });

  it.each([
    ['no JSON', 'refs'],
    ['no refs', {}],
    ['an empty list', { refs: [] }],
    ['too many', { refs: Array.from({ length: MAX_REFS + 1 }, (_, n) => `1:${n}`) }],
    ['a number', { refs: [1] }],
    ['no event', { refs: [':1'] }],
    ['no payload', { refs: ['1:'] }],
    ['a negative number', { refs: ['-1:0'] }],
    ['a leading zero', { refs: ['01:0'] }],
    ['more digits than any id', { refs: ['12345678901234567890:0'] }],
    ['three parts', { refs: ['1:0:0'] }],
    ["a page token of Temporal's", { refs: ['CiQwYjZlMGEyYy01NGUwLTRmNWEtOWQ3YS0wZTlkN2FkNGEzYWE'] }],
    ['random bytes', { refs: ['\u0000\u0001\ufffd'] }],
    ['a line break after a ref', { refs: ['1:0\n'] }],
    ['an unknown field', { refs: ['1:0'], pageToken: 'x' }],
  ])('gets 400: payloads:decode with %s', async (_, body) => {
    await refusal(await post(appWith(kms), `${RUN}/payloads:decode`, body), 400, 'bad_request');
  });

  it.each([
    ['GET', `${NS}/workflows?pageSize=0`, undefined, 'pageSize must be a whole number from 1 to 1,000'],
    ['GET', `${NS}/workflows?pageSize=ten`, undefined, 'pageSize must be a whole number from 1 to 1,000'],
    ['POST', `${RUN}/payloads:decode`, { refs: ['x'] }, 'refs.0 must be a ref such as 5:0'],
    ['POST', `${RUN}/payloads:decode`, {}, 'refs is missing'],
    ['POST', `${RUN}/history:search`, {}, 'text is missing'],
  ])('gets a message that states what to send: %s %s', async (method, path, body, message) => {
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    expect(await refusal(await appWith(kms).request(path, init), 400, 'bad_request')).toBe(message);
  });

  it('gets 404 as JSON if the API has no such route', async () => {
    await refusal(await appWith(kms).request('/api/nothing', { headers }), 404, 'not_found');
    await refusal(
      await appWith(kms).request(`${NS}/workflows/w`, { method: 'DELETE', headers }),
      404,
      'not_found',
    );
  });

  it('gets 404 outside the configured prefix, below which all routes are served', async () => {
    const app = appWith(kms, { pathPrefix: '/kms' });
    expect((await app.request('/kms/api/namespaces', { headers })).status).toBe(200);
    expect((await app.request('/api/namespaces', { headers })).status).toBe(404);
    expect((await post(app, '/kms/decode', '{}')).status).toBe(200);
    expect((await app.request('/healthz')).status).toBe(200);
  });
});
