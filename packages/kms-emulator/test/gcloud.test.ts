import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { gcloudLines, knownCommands, sendLine, type RestCall } from './support/gcloud.ts';
import { afterwards, DAY, start, temporaryFolder } from './support/running.ts';

const variables = {
  PROJECT_ID: 'demo',
  LOCATION: 'us-east1',
  KEY_RING: 'temporal-keys',
  KEY_NAME: 'workflow-encryption',
  NEXT_ROTATION: new Date(Date.now() + 90 * DAY * 1000).toISOString(),
};
const KEY = 'projects/demo/locations/us-east1/keyRings/temporal-keys/cryptoKeys/workflow-encryption';
const lines = await gcloudLines('gcp-kms.md', variables);

const hasGcloud = (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, 'gcloud'), constants.X_OK);
    return true;
  } catch {
    return false;
  }
});
if (!hasGcloud)
  process.stderr.write(
    'gcloud is not installed, and no package registry has it: the test itself sends the requests that gcloud sends.\n',
  );

/** Starts an emulator behind a server that records requests and answers requests for other services. */
async function startRecorded() {
  const { emulator } = await start();
  const recorded: RestCall[] = [];
  const answerCall = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '' } = request;
    let text = '';
    for await (const chunk of request) text += String(chunk);
    recorded.push({ method, path: url.slice(1), ...(text !== '' && { body: JSON.parse(text) }) });
    const other = otherServices.find(([path]) => path.test(url))?.[1];
    if (other !== undefined) {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(other));
      return;
    }
    const answer = await fetch(`${emulator.url}${url}`, {
      method,
      ...(text !== '' && { headers: { 'content-type': 'application/json' }, body: text }),
    });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  };
  const server = createServer((request, response) => void answerCall(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterwards(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return { emulator, recorded, url: `http://127.0.0.1:${port}/` };
}

const otherServices: readonly (readonly [RegExp, object])[] = [
  [
    /^\/v1\/projects\/demo\/services\/cloudkms\.googleapis\.com:enable/,
    { name: 'operations/noop.DONE_OPERATION', done: true, response: {} },
  ],
  [/^\/v2\/entries:list/, {}],
];

async function expectKey(url: string): Promise<void> {
  const get = async (path: string): Promise<unknown> => (await fetch(`${url}/v1/${path}`)).json();
  expect(await get(KEY)).toMatchObject({
    purpose: 'ENCRYPT_DECRYPT',
    rotationPeriod: `${90 * DAY}s`,
    nextRotationTime: expect.stringContaining(variables.NEXT_ROTATION.slice(0, 19)),
  });
  expect(await get(`${KEY}:getIamPolicy`)).toMatchObject({
    bindings: [
      {
        role: 'roles/cloudkms.cryptoKeyEncrypterDecrypter',
        members: ['serviceAccount:worker@demo.iam.gserviceaccount.com'],
      },
    ],
  });
}

/** Replaces the time in the filter of `logging read`, and decodes commas in the query. */
const comparable = (all: readonly RestCall[]): unknown =>
  JSON.parse(
    JSON.stringify(all)
      .replaceAll(/timestamp>=\\"[^"]*"/g, 'timestamp>=TIME')
      .replaceAll('%2C', ','),
  );

describe('the gcloud commands in docs/gcp-kms.md', () => {
  it('are all covered by this test', () => {
    expect(new Set(lines.map(({ command }) => command))).toEqual(knownCommands);
  });

  it('send requests that the emulator answers over REST', async () => {
    const { emulator, url } = await startRecorded();
    for (const line of lines) {
      // oxlint-disable-next-line no-await-in-loop -- each command needs what earlier commands created
      await sendLine(line, async ({ method, path, body }) => {
        const response = await fetch(`${url}${path}`, {
          method,
          ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
        });
        const answer: unknown = await response.json();
        expect({ line, status: response.status, answer }).toMatchObject({ status: 200 });
        return answer;
      });
    }
    await expectKey(emulator.url);
  });

  // Without gcloud, the test is left out instead of skipped, because no package registry has gcloud.
  if (hasGcloud)
    it(
      'run with gcloud itself, which sends the requests that this test expects',
      { timeout: 300_000 },
      async () => {
        const { emulator, recorded, url } = await startRecorded();
        const folder = await temporaryFolder();
        const env = {
          ...process.env,
          CLOUDSDK_CONFIG: folder,
          CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS: url,
          CLOUDSDK_API_ENDPOINT_OVERRIDES_SERVICEUSAGE: url,
          CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING: url,
          CLOUDSDK_AUTH_DISABLE_CREDENTIALS: 'true',
          CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
          CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: 'true',
          CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: 'true',
        };
        for (const line of lines) {
          const before = recorded.length;
          const [command = '', ...args] = line.words;
          // oxlint-disable-next-line no-await-in-loop -- each command needs what earlier commands created
          await promisify(execFile)(command, args, { env });
          const sent = recorded.slice(before);
          let answers = 0;
          // oxlint-disable-next-line no-await-in-loop
          const known = await sendLine(line, async () => {
            answers += 1;
            return { etag: etagOf(sent[answers]) };
          });
          expect(comparable(sent), line.command).toEqual(comparable(known));
        }
        await expectKey(emulator.url);
      },
    );
});

/** Returns the etag of the policy that gcloud has read, because gcloud sends this etag back. */
const etagOf = (call: RestCall | undefined): unknown =>
  /"etag":"([^"]+)"/.exec(JSON.stringify(call?.body ?? {}))?.[1];
