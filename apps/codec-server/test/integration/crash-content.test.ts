import { rm } from 'node:fs/promises';
import { WITHIN_256_MIB } from '@temporal-kms/scripts/small-memory';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lengthDelimited } from '../../src/temporal/wire-scan.ts';
import { denseBodies, type DenseField, denseFields, denseJson, sample } from '../support/dense.ts';
import {
  copyServer,
  type LimitedServer,
  type Outcome,
  outcomeOf,
  post,
  startLimited,
  whileProbing,
} from '../support/limited-server.ts';
import { limitMemory, type MemoryLimit, unlimited } from '../support/memory-limit.ts';
import { type PlantedTemporal, startPlantedTemporal } from '../support/planted-temporal.ts';
import { routes } from '../support/routes.ts';
import { startKms, type Kms } from '../support/stack.ts';
import { NAMESPACE } from '../support/temporal.ts';

/*
 * Sends the bundled server the densest legal content in the fields that it reads: events, descriptions, lists
 * and bodies. By default, the tests cover each class of fields with the smallest memory limit. With `SLOW=1`,
 * they cover every field, also with the recommended limit and without a limit.
 */

const SLOW = process.env['SLOW'] === '1';

/** With `SLOW=1`, returns every field that passes the filter; otherwise, the first field of each class. */
function fieldsOf(name: string, filter: (field: DenseField) => boolean = () => true): DenseField[] {
  const fields = denseFields(name).filter(filter);
  return SLOW ? fields : sample(fields);
}

/** A size in bytes that Temporal accepts for one message. */
const SIZE = 3_700_000;
/**
 * The largest size of a file's events in a request body; the JSON around the events takes the rest of the
 * body.
 */
const FILE_SIZE = 7_500_000;

const EVENT = 'temporal.api.history.v1.HistoryEvent';
const DESCRIPTION = 'temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse';
const LIST = 'temporal.api.workflowservice.v1.ListWorkflowExecutionsResponse';
const RUN_ID = '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';

let directory: string;
let temporal: PlantedTemporal;
let kms: Kms;
const table: string[] = [];
beforeAll(async () => {
  [directory, temporal, kms] = await Promise.all([copyServer(), startPlantedTemporal(), startKms()]);
});
afterAll(async () => {
  process.stdout.write(
    `crash suite: readers at once, statuses, peak resident memory, longest /healthz\n${table.join('\n')}\n`,
  );
  await Promise.all([temporal.close(), kms.close(), rm(directory, { recursive: true })]);
});

const API = `/api/namespaces/${NAMESPACE}`;
const runPath = (workflowId: string): string => `${API}/workflows/${workflowId}/runs/${RUN_ID}`;

type Reader = readonly [route: string, read: (url: string) => Promise<Outcome>];
const getting = (route: string, path: string): Reader => [route, (url) => outcomeOf(fetch(url + path))];
const posting = (route: string, path: string, body: object | string): Reader => [
  route,
  (url) => post(url + path, typeof body === 'string' ? body : JSON.stringify(body)),
];

const ofHistory = (id: string): Reader[] => [
  getting('history', `${runPath(id)}/history`),
  posting('payloads:decode', `${runPath(id)}/payloads:decode`, { refs: ['1:0'] }),
  posting('history:search', `${runPath(id)}/history:search`, { text: 'zzz' }),
  ...['encoded', 'decoded', 'readable'].map((form) =>
    posting(`history:export ${form}`, `${runPath(id)}/history:export`, { form }),
  ),
];
const ofDescription = (id: string): Reader[] => [
  getting('workflow', `${API}/workflows/${id}`),
  getting('task-queues', `${runPath(id)}/task-queues`),
  posting('workflows:progress', `${API}/workflows:progress`, { runs: [{ workflowId: id, runId: RUN_ID }] }),
  posting('payloads:decode 0:1', `${runPath(id)}/payloads:decode`, { refs: ['0:1'] }),
];
const ofList: Reader[] = [
  getting('workflows', `${API}/workflows`),
  getting('workflows:types', `${API}/workflows:types`),
  posting('workflows:search', `${API}/workflows:search`, { text: 'zzz' }),
  posting('workflows:decode-fields', `${API}/workflows:decode-fields`, {}),
  posting('workflows:causes', `${API}/workflows:causes`, {}),
];

const { HistoryEvent, History } = proto.temporal.api.history.v1;
/** protobufjs accepts numbers for 64-bit integers when it encodes. */
const head: any = { eventId: 1, taskId: 1, eventType: 1 };
const info: any = {
  workflowExecutionInfo: { historyLength: 1, execution: { workflowId: 'w', runId: RUN_ID } },
};
const { DescribeWorkflowExecutionResponse: Description } = proto.temporal.api.workflowservice.v1;
const description = Description.encode(info).finish();
const history = (event: Uint8Array): Uint8Array =>
  lengthDelimited(1, lengthDelimited(1, Buffer.concat([HistoryEvent.encode(head).finish(), event])));
const empty = lengthDelimited(1, History.encode({ events: [head] }).finish());

interface Attack {
  readonly name: string;
  /** Makes the simulated Temporal return the content. */
  readonly plant: () => void;
  readonly readers: readonly Reader[];
}

// Computed only once, because several attacks send them.
const fileBodies = denseBodies(FILE_SIZE);
const otherBodies = denseBodies(250_000);
const filesWith = fieldsOf(EVENT).map((field) => ({ field, json: denseJson(field, FILE_SIZE / 8) }));

const attacks: Attack[] = [
  ...fieldsOf(EVENT).map(({ path, density, bytes }, n) => ({
    name: `event ${path} (${density})`,
    // Each content is in a separate run, because the server caches histories.
    plant: () => temporal.runs.set(`event-${n}`, { description, history: history(bytes(SIZE)) }),
    // Several concurrent readers, each of which decodes the event.
    readers: [...ofHistory(`event-${n}`), ...ofHistory(`event-${n}`)],
  })),
  ...fieldsOf(DESCRIPTION).map(({ path, density, bytes }) => ({
    name: `description ${path} (${density})`,
    plant: () =>
      temporal.runs.set('description', {
        description: Buffer.concat([description, bytes(SIZE)]),
        history: empty,
      }),
    readers: [...ofDescription('description'), getting('history', `${runPath('description')}/history`)],
  })),
  // Leaves out `executions`, because Temporal itself limits the number of runs in a list.
  ...fieldsOf(LIST, ({ path }) => path !== 'executions').map(({ path, density, bytes }) => ({
    name: `list ${path} (${density})`,
    plant: () => {
      temporal.list = bytes(SIZE);
    },
    readers: ofList,
  })),
  ...filesWith.map(({ field, json }) => ({
    name: `file ${field.path} (${field.density})`,
    plant: () => undefined,
    readers: [
      ...(['json', 'readable', 'protobuf'] as const).map((encoding) => {
        const event =
          encoding === 'protobuf'
            ? Buffer.concat([HistoryEvent.encode(head).finish(), field.bytes(FILE_SIZE / 2)]).toString(
                'base64',
              )
            : json;
        return posting(`history-files:inspect ${encoding}`, `${API}/history-files:inspect`, {
          encoding,
          events: [event],
        });
      }),
      posting('history-files:decode', `${API}/history-files:decode`, {
        encoding: 'json',
        events: [json],
        refs: ['1:0'],
      }),
      posting('history-files:search', `${API}/history-files:search`, {
        encoding: 'readable',
        events: [json],
        text: 'zzz',
      }),
    ],
  })),
  ...routes
    .filter(([method]) => method === 'POST')
    .map(([, , path]) => ({
      name: `bodies of ${path.split('/').at(-1)}`,
      plant: () => undefined,
      readers: (path.includes('history-files') ? fileBodies : otherBodies).map((body) =>
        posting(path, path, body),
      ),
    })),
];

type Limit = [name: string, mebibytes: number, env: Record<string, string>];
const limits: Limit[] = [
  ['256 MiB', 256, WITHIN_256_MIB],
  ['512 MiB', 512, {}],
  ['no limit', Number.POSITIVE_INFINITY, {}],
];
describe.each(SLOW ? limits : limits.slice(0, 1))('a server with %s', (name, mebibytes, env) => {
  let limit: MemoryLimit;
  let server: LimitedServer;
  beforeAll(async () => {
    limit = mebibytes === Number.POSITIVE_INFINITY ? unlimited : await limitMemory(mebibytes);
    server = await startLimited(directory, limit, kms.emulator.address, temporal.address, env);
  });
  afterAll(async () => {
    await server.stop();
    await limit.remove();
  });

  it.each(attacks)('survives $name', async ({ name: attack, plant, readers }) => {
    plant();
    await server.resetPeak();
    const statuses = new Set<string>();
    const slowest = await whileProbing(server, async () => {
      const sent = readers.map(async ([route, read]) => {
        const { status, text } = await read(server.url);
        const [, code = ''] = /"code":"(\w+)"/.exec(text) ?? [];
        statuses.add(`${route} ${status} ${code}`.trim());
        // On a busy machine, a request may exceed its time limit.
        expect([200, 400, 413, 503, 504], `${route}: ${text}`).toContain(status);
        // No event, description or list may make a run unreadable.
        if (status >= 400 && status < 500)
          expect(route, text).toMatch(/history-files|payloads:decode|^.api|code$/);
      });
      await Promise.all(sent);
    });
    expect(server.isAlive(), server.why()).toBe(true);
    await expect.poll(() => server.metric('codec_memory_in_use_bytes'), { timeout: 15_000 }).toBe(0);
    const peak = await server.peak();
    table.push(
      `| ${name} | ${attack} | ${[...statuses].toSorted().join(', ')} | ${peak.toFixed(0)} MiB | ${slowest.toFixed(0)} ms |`,
    );
  });
});
