/* The gs:// store, with a server whose responses each test scripts. `stores.test.ts` uses a real server. */
import { createServer, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback } from '@temporal-kms/testing/network';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { GcsBranchKeyStore } from '../../src/branch-keys/gcs-store.ts';
import { ABSENT } from '../../src/branch-keys/store.ts';

const id = '0123456789abcdef-00';
const value = new TextEncoder().encode('value');

/** The requests that the server has received. */
const requests: { readonly url: string; readonly body: string }[] = [];
let answer: (response: ServerResponse, isDownload: boolean) => void;
const server = createServer((request, response) => {
  const url = request.url!;
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    requests.push({ url, body });
    answer(response, url.includes('alt=media'));
  });
});
let apiEndpoint: string;

beforeEach(async () => {
  requests.length = 0;
  apiEndpoint = `http://127.0.0.1:${await listenOnLoopback(server)}`;
});
afterEach(() => closeServer(server));

/** Returns the generations whose content was requested. */
const downloads = () =>
  requests.flatMap(({ url }) => new URL(url, apiEndpoint).searchParams.get('generation') ?? []);

const storeWith = (prefix = '') => new GcsBranchKeyStore({ bucket: 'keys', prefix, apiEndpoint });
const withStatus = (status: number) => (response: ServerResponse) => response.writeHead(status).end();
const withJson = (response: ServerResponse, body: object) =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));

describe('the gs:// store with its objects', () => {
  it.each([
    [`${id}.json`, ''],
    [`a/b/${id}.json`, 'a/b'],
  ])('reads and writes the object %s if the prefix is %j', async (name, prefix) => {
    answer = withStatus(404);
    const store = storeWith(prefix);
    expect(await store.load(id)).toBeUndefined();
    await expect(store.replace(id, value, '5')).rejects.toMatchObject({ code: 'unavailable' });
    const [load, replace] = requests.map(({ url }) => new URL(url, apiEndpoint));
    expect(load!.pathname).toBe(`/storage/v1/b/keys/o/${encodeURIComponent(name)}`);
    expect(replace!.pathname).toBe('/upload/storage/v1/b/keys/o');
    expect(replace!.searchParams.get('name')).toBe(name);
  });

  it('marks objects as JSON that caches must not store', async () => {
    answer = withStatus(412);
    expect(await storeWith().replace(id, value, ABSENT)).toBe(false);
    const [metadata] = /\{.*\}/.exec(requests[0]!.body)!;
    expect(JSON.parse(metadata)).toMatchObject({ contentType: 'application/json', cacheControl: 'no-store' });
  });

  it('makes at most 3 attempts to read an object that another process replaces before the download', async () => {
    let generation = 0;
    let failures = 2;
    answer = (response, isDownload) => {
      if (!isDownload) withJson(response, { generation: String((generation += 1)), size: '5' });
      else if ((failures -= 1) < 0) response.end(value);
      else response.writeHead(404).end();
    };
    expect(await storeWith().load(id)).toEqual({ value: Buffer.from(value), generation: '3' });
    expect(downloads()).toEqual(['1', '2', '3']);
    failures = Number.POSITIVE_INFINITY;
    await expect(storeWith().load(id)).rejects.toMatchObject({ code: 'unavailable' });
    expect(downloads()).toEqual(['1', '2', '3', '4', '5', '6']);
  });
});

describe('the gs:// store, if a request fails', () => {
  it.each([
    [401, 'not_permitted'],
    [403, 'not_permitted'],
    [429, 'unavailable'],
    [503, 'unavailable'],
  ])('reports the status %i as %s, without a second attempt', async (status, code) => {
    answer = withStatus(status);
    const failure = { code, cause: { code: status } };
    await expect(storeWith().load(id)).rejects.toMatchObject(failure);
    await expect(storeWith().replace(id, value, ABSENT)).rejects.toMatchObject(failure);
    expect(requests).toHaveLength(2);
  });

  it('is unavailable if it has no credentials', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '/missing.json');
    onTestFinished(() => void vi.unstubAllEnvs());
    const store = new GcsBranchKeyStore({ bucket: 'keys', prefix: '' });
    await expect(store.load(id)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('reports that @google-cloud/storage is not installed', async () => {
    vi.doMock('@google-cloud/storage', () => {
      throw new Error('ERR_MODULE_NOT_FOUND');
    });
    onTestFinished(() => vi.doUnmock('@google-cloud/storage'));
    const cause = expect.any(Error);
    await expect(storeWith().load(id)).rejects.toMatchObject({ code: 'not_installed', cause });
  });
});
