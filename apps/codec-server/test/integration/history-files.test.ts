import { createAudit, entryLine, parseEntryLine } from '@temporal-kms/audit';
import {
  type DecodeResult,
  fileEvents,
  type HistoryEvent,
  type SearchFrame,
  searchFrame,
} from '@temporal-kms/codec-api';
import { type FileWorkflow, readHistoryFile } from '@temporal-kms/histories/files';
import { readHistory } from '@temporal-kms/testing/history';
import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { lengthDelimited } from '../../src/temporal/wire-scan.ts';
import { forFile } from '../support/for-file.ts';
import { post, recordedAudit } from '../support/stack.ts';
import {
  history,
  lines,
  NAMESPACE,
  postTo,
  resultsOf,
  type Run,
  runEverywhere,
  runFailing,
  startStack,
  temporalCli,
  valueOf,
} from '../support/temporal.ts';

const SECRET = 'canary-f11e';
const FILES = `/api/namespaces/${NAMESPACE}/history-files`;

const stack = forFile(await startStack({ searchAttributes: { Customer: 'Keyword' } }));
const server = forFile(await stack.serve());
const run = await runEverywhere(stack, SECRET, { searchAttributes: { Customer: ['acme'] } });
const failed = await runFailing(stack, SECRET);

const cliShow = ({ workflowId, runId }: Run, output: 'json' | 'jsonl', codec = false): Promise<string> => {
  const show = ['workflow', 'show', '--output', output, '--workflow-id', workflowId, '--run-id', runId];
  const endpoint = codec ? ['--codec-endpoint', `http://127.0.0.1:${server.port}`] : [];
  return temporalCli(stack, [...show, ...endpoint]);
};

const exported = async (of: Run, form: string, app = stack.app): Promise<string> =>
  (await postTo(app, of, 'history:export', { form })).text();

/**
 * Returns a `temporal.api.export.v1.WorkflowExecutions` message with the histories, like Temporal Cloud's
 * export.
 */
async function cloudExport(runs: readonly Run[]): Promise<Uint8Array> {
  const items = await Promise.all(
    runs.map(async (of) => {
      const events = await readHistory(stack.connection, NAMESPACE, of);
      return lengthDelimited(
        1,
        lengthDelimited(1, proto.temporal.api.history.v1.History.encode({ events }).finish()),
      );
    }),
  );
  return Buffer.concat(items);
}

const workflowOf = (content: string | Uint8Array, n = 0): FileWorkflow =>
  readHistoryFile(typeof content === 'string' ? new TextEncoder().encode(content) : content).workflows[n]!;

const many = (item: (n: number) => string): string =>
  Array.from({ length: 60_000 }, (_, n) => item(n)).join(',');

const bodyOf = ({ workflowId, encoding, length, event }: FileWorkflow) => ({
  workflowId,
  encoding,
  events: Array.from({ length }, (_, index) => event(index + 1)),
});

async function inspected(file: FileWorkflow, app = stack.app): Promise<HistoryEvent[]> {
  const response = await post(app, `${FILES}:inspect`, bodyOf(file));
  expect(response.status).toBe(200);
  return fileEvents.parse(await response.json()).events;
}

async function decoded(
  file: FileWorkflow,
  refs: string[],
  app = stack.app,
  more = {},
): Promise<DecodeResult[]> {
  const response = await post(app, `${FILES}:decode`, { ...bodyOf(file), refs, ...more });
  expect(response.status).toBe(200);
  return resultsOf(response);
}

const refsOf = (events: readonly HistoryEvent[]): string[] =>
  events.flatMap(({ payloads }) => payloads.map(({ ref }) => ref));

/** Returns the values of all payloads by ref, requested in batches. */
async function valuesOf(
  file: FileWorkflow,
  events: readonly HistoryEvent[],
): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  const refs = refsOf(events);
  for (let from = 0; from < refs.length; from += 200)
    for (const result of await decoded(file, refs.slice(from, from + 200)))
      values[result.ref] = valueOf(result);
  return values;
}

/** Returns the events without those stub fields that decryption changes. */
const withoutStubs = (events: readonly HistoryEvent[]) =>
  events.map(({ payloads, ...event }) => ({
    ...event,
    payloads: payloads.map(({ ref, path }) => ({ ref, path })),
  }));

describe.each(['everywhere', 'fails'])('a file with the history of the workflow %s', (which) => {
  const of = () => (which === 'fails' ? failed : run);
  const stored: [string, () => Promise<string | Uint8Array>][] = [
    ['temporal workflow show --output json', () => cliShow(of(), 'json')],
    ['temporal workflow show --output jsonl', () => cliShow(of(), 'jsonl')],
    ['our encoded export', () => exported(of(), 'encoded')],
    ["Temporal Cloud's export", () => cloudExport([of()])],
  ];
  const decrypted: [string, () => Promise<string>][] = [
    ['temporal workflow show with a codec endpoint', () => cliShow(of(), 'json', true)],
    ['our decoded export', () => exported(of(), 'decoded')],
    ['our readable export', () => exported(of(), 'readable')],
  ];

  it.each(stored)('is described exactly like the run itself if it was written by %s', async (_, write) => {
    const file = workflowOf(await write());
    expect(file).toMatchObject(of());
    expect(await inspected(file)).toEqual(await history(stack.app, of()));
  });

  it.each(decrypted)(
    'has the same events, with decrypted payloads, if it was written by %s',
    async (_, write) => {
      const file = workflowOf(await write());
      const expected = await history(stack.app, of());
      const events = await inspected(file);
      expect(file).toMatchObject(of());
      expect(withoutStubs(events)).toEqual(withoutStubs(expected));
      expect(events.flatMap(({ payloads }) => payloads).every(({ format }) => format === 'plain')).toBe(true);
    },
  );

  it('has the same plaintext in every form of the file', async () => {
    const [first, ...others] = await Promise.all(
      [...stored, ...decrypted].map(async ([, write]) => {
        const file = workflowOf(await write());
        return valuesOf(file, await inspected(file));
      }),
    );
    expect(Object.values(first!).filter((value) => value.includes(SECRET)).length).toBeGreaterThan(4);
    for (const values of others) expect(values).toEqual(first);
  });
});

describe('a history file', () => {
  it('yields the payloads of the selected workflow if it contains several workflows', async () => {
    const file = workflowOf(await cloudExport([run, failed]), 1);
    expect(file).toMatchObject(failed);
    expect(valueOf((await decoded(file, ['1:0']))[0])).toBe(JSON.stringify(SECRET));
  });

  it('keeps the reason code of a payload that the export could not decrypt', async () => {
    await using other = stack.kms.another();
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const app = stack.replica({ codec: other.codec });
    const texts = [await exported(run, 'decoded', app), await exported(run, 'readable', app)];
    stack.kms.emulator.clearFaults();
    for (const text of texts) {
      const file = workflowOf(text);
      const [started] = await inspected(file);
      const input = started!.payloads.find(({ path }) => path === 'input.payloads[0]')!;
      expect(input).toMatchObject({ reason: 'kms_unavailable', key: { version: 1 } });
      const [result] = await decoded(file, [input.ref]);
      expect(result).toMatchObject({ ok: false, reason: 'kms_unavailable', key: { version: 1 } });
    }
  });

  it('is decrypted with audit entries that contain the source, the workflow and the justification', async () => {
    const { audit, entries } = recordedAudit();
    const file = workflowOf(await exported(run, 'encoded'));
    await decoded(file, ['1:0'], stack.replica({ audit }), { justification: 'ticket 4711' });
    expect(entries).toMatchObject([
      {
        event: 'intent',
        operation: 'decode',
        namespace: NAMESPACE,
        workflowId: run.workflowId,
        source: 'file',
        refs: ['1:0'],
        justification: 'ticket 4711',
      },
      { event: 'outcome', source: 'file', outcome: { result: 'complete', payloads: 1 } },
    ]);
  });

  it('does not let its author insert long text into the audit', async () => {
    const forged = [
      { key: 'x'.repeat(2_000_000), 'key-version': '7' },
      { key: 'projects/a/locations/b/keyRings/c/cryptoKeys/d', 'key-version': '1.5' },
    ].map((marks) => ({
      metadata: Object.fromEntries(
        Object.entries({ encoding: 'binary/unreadable', reason: 'key_disabled', ...marks }).map(
          ([name, text]) => [name, Buffer.from(text).toString('base64')],
        ),
      ),
    }));
    const event = {
      eventId: '1',
      eventType: 'WorkflowExecutionStarted',
      workflowExecutionStartedEventAttributes: { input: { payloads: forged } },
    };
    const written: string[] = [];
    const audit = createAudit({ write: async (entry) => void written.push(entryLine(entry)) });
    const file = workflowOf(JSON.stringify({ events: [event] }));
    const results = await decoded(file, ['1:0', '1:1'], stack.replica({ audit }), {});
    expect(results).toMatchObject([
      { ok: false, reason: 'key_disabled', key: { version: 7 } },
      { ok: false, reason: 'key_disabled', key: { name: expect.stringMatching(/cryptoKeys\/d$/) } },
    ]);
    expect(written.map((line) => parseEntryLine(line)?.event)).toEqual(['intent', 'outcome']);
    expect(Math.max(...written.map(({ length }) => length))).toBeLessThan(2_000);
  });

  it('is not decrypted in another namespace', async () => {
    const file = workflowOf(await exported(run, 'encoded'));
    const path = '/api/namespaces/orders/history-files:decode';
    const response = await post(stack.app, path, { ...bodyOf(file), refs: ['1:0'] });
    const [frame] = (await response.text()).split('\n');
    expect(JSON.parse(frame!)).toMatchObject({ ref: '1:0', ok: false });
  });
});

async function searchFrames(response: Response): Promise<SearchFrame[]> {
  expect(response.status).toBe(200);
  return Array.fromAsync(lines(response, searchFrame));
}

const searched = async (file: FileWorkflow, app = stack.app, more = {}): Promise<SearchFrame[]> =>
  searchFrames(await post(app, `${FILES}:search`, { ...bodyOf(file), text: SECRET, ...more }));

function placesIn(frames: readonly SearchFrame[]) {
  const hits = frames.flatMap((frame) => (frame.type === 'hit' ? [frame] : []));
  return { places: hits.map(({ ref, pointer }) => `${ref} ${pointer}`), end: frames.at(-1) };
}

describe('a search in a file’s payloads', () => {
  it('finds the same hits as a search in the run, from the last event to the first, in encrypted and decrypted files', async () => {
    const inRun = await postTo(stack.app, run, 'history:search', { text: SECRET });
    const expected = placesIn(await searchFrames(inRun));
    expect(expected.places.length).toBeGreaterThan(4);
    for (const write of [
      () => exported(run, 'encoded'),
      () => exported(run, 'decoded'),
      () => exported(run, 'readable'),
      () => cloudExport([run]),
    ]) {
      const found = placesIn(await searched(workflowOf(await write())));
      expect(found.places).toEqual(expected.places);
      expect(found.end).toMatchObject({ type: 'end', reason: 'complete', after: 1, unreadable: {} });
    }
  });

  it('counts, by reason code, the payloads that an export could not decrypt', async () => {
    await using other = stack.kms.another();
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const text = await exported(run, 'decoded', stack.replica({ codec: other.codec }));
    stack.kms.emulator.clearFaults();
    const { places, end } = placesIn(await searched(workflowOf(text)));
    expect(places).toEqual([]);
    expect(end).toMatchObject({ unreadable: { kms_unavailable: expect.any(Number) } });
  });

  it('has audit entries that contain the source, the workflow and the justification, but not the text', async () => {
    const { audit, entries } = recordedAudit();
    const file = workflowOf(await exported(run, 'encoded'));
    await searched(file, stack.replica({ audit }), { justification: 'ticket 4711' });
    const { workflowId } = run;
    expect(entries).toMatchObject([
      { event: 'intent', operation: 'search', workflowId, source: 'file', justification: 'ticket 4711' },
      { event: 'outcome', source: 'file', outcome: { result: 'complete' } },
    ]);
    expect(JSON.stringify(entries)).not.toContain(SECRET);
  });
});

/** A request with an event of a given size. */
const bodyOfSize = (bytes: number) => ({
  encoding: 'json',
  events: [`{"eventId":"1","identity":"${'x'.repeat(bytes)}"}`],
});

describe('a request with a file’s events', () => {
  const event = '{"eventId":"1","eventType":"EVENT_TYPE_TIMER_FIRED"}';
  /** Fields of an event. Each field has more values than the server reads. */
  const dense = [
    ...['0', 'null', '{}', '""'].map(
      (item) => `"workflowExecutionStartedEventAttributes":{"input":{"payloads":[${many(() => item)}]}}`,
    ),
    `"workflowExecutionStartedEventAttributes":{"memo":{"fields":{${many((n) => `"k${n}":0`)}}}}`,
    `"workflowExecutionStartedEventAttributes":{"input":[{"metadata":{${many((n) => `"k${n}":""`)}}}]}`,
    `"upsertWorkflowSearchAttributesEventAttributes":{"searchAttributes":{"indexedFields":{${many((n) => `"k${n}":0`)}}}}`,
    `"workflowTaskCompletedEventAttributes":{"sdkMetadata":{"coreUsedFlags":[${many(() => '1')}]}}`,
    `"links":[${many(() => '{}')}]`,
  ];
  const cases: [string, number, object][] = [
    ['no events', 400, { encoding: 'json', events: [] }],
    ['too many events', 400, { encoding: 'json', events: Array(501).fill(event) }],
    ['an event that is not JSON', 400, { encoding: 'json', events: ['{'] }],
    ['an event of a wrong type', 400, { encoding: 'json', events: ['{"eventTime":5}'] }],
    ['a deeply nested event', 400, { encoding: 'json', events: ['['.repeat(5_000)] }],
    ...dense.map((content): (typeof cases)[number] => [
      `an event of too many values: ${content.slice(0, 60)}`,
      413,
      { encoding: 'json', events: [`{"eventId":"1",${content}}`] },
    ]),
    ['bytes that are not an event', 400, { encoding: 'protobuf', events: ['////'] }],
    ['an unknown encoding', 400, { encoding: 'yaml', events: [event] }],
    ['an unknown field', 400, { encoding: 'json', events: [event], url: 'https://example.com' }],
  ];

  it.each(cases)('is refused with %s', async (_, status, body) => {
    expect((await post(stack.app, `${FILES}:inspect`, body)).status).toBe(status);
    expect((await post(stack.app, `${FILES}:decode`, { ...body, refs: ['1:0'] })).status).toBe(status);
    expect((await post(stack.app, `${FILES}:search`, { ...body, text: 'x' })).status).toBe(status);
  });

  it('is refused for a ref that the events do not contain', async () => {
    const response = await post(stack.app, `${FILES}:decode`, {
      encoding: 'json',
      events: [event],
      refs: ['1:0'],
    });
    expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'bad_request' } }]);
  });

  it('may have a body of at most 8 MiB', async () => {
    expect((await post(stack.app, `${FILES}:inspect`, bodyOfSize(7 * 1024 * 1024))).status).toBe(200);
    expect((await post(stack.app, `${FILES}:inspect`, bodyOfSize(8 * 1024 * 1024))).status).toBe(413);
  });
});
