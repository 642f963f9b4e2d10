import {
  decodeFrame,
  type DecodeResult,
  type HistoryEvent,
  historyFrame,
  searchFrame,
} from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { eventTypes, fullEvent, type Place, type ProtoEvent, VARIANTS } from '../support/full-event.ts';
import { temporalWith } from '../support/planted-run.ts';
import { appWith, headers, plain, post, startKms } from '../support/stack.ts';
import { lines } from '../support/temporal.ts';
import { RUN } from '../support/routes.ts';

// The history has events of every type with every member of every oneof, and an encrypted payload in every
// field that can contain a payload. `support/full-event.ts` derives these fields only from Temporal's protos.
const events: ProtoEvent[] = [];
const places = new Map<string, Place>();
/**
 * The event types with the paths of their payloads. The set keeps each pair once, because several events of a
 * type share paths.
 */
const fields = new Set<string>();

const kms = forFile(await startKms());
const types = eventTypes.flatMap((type) =>
  Array.from({ length: VARIANTS }, (_, variant) => ({ type, variant })),
);
for (const [index, { type, variant }] of types.entries()) {
  const eventId = index + 1;
  const made = await fullEvent(type, eventId, variant, async (_, n) => {
    const [encrypted] = await kms.codec.encode([plain(`needle ${eventId}:${n}`)], { namespace: 'payments' });
    return encrypted!;
  });
  events.push(made.event);
  for (const [n, place] of made.places.entries()) {
    places.set(`${eventId}:${n}`, place);
    fields.add(`${type[0]} ${place.path}`);
  }
}
const app = appWith(kms, { temporal: temporalWith(events) });

const answerTo = async (what: string, body: object): Promise<Response> => {
  const response = await post(app, `${RUN}/${what}`, body);
  expect(response.status).toBe(200);
  return response;
};
const refs = () => [...places.keys()];

it('covers 60 event types and more than 950 fields that contain payloads', () => {
  expect(eventTypes).toHaveLength(60);
  expect(new Set(events.map(({ eventType }) => eventType)).size).toBe(60);
  expect(fields.size).toBeGreaterThan(950);
});

it('streams a history with exactly one stub for each field that contains a payload', async () => {
  const response = await app.request(`${RUN}/history`, { headers });
  const rows: HistoryEvent[] = (await Array.fromAsync(lines(response, historyFrame))).flatMap((frame) =>
    frame.type === 'events' ? frame.events : [],
  );
  const stubs = rows.flatMap(({ payloads }) => payloads.map(({ ref, path }) => [ref, path]));
  expect(stubs).toEqual([...places].map(([ref, { path }]) => [ref, path]));
  expect(JSON.stringify(rows)).toContain('indexed');
});

it('decodes the payload in each field', async () => {
  const results: DecodeResult[] = [];
  const all = refs();
  for (let start = 0; start < all.length; start += 200) {
    const response = await answerTo('payloads:decode', { refs: all.slice(start, start + 200) });
    for (const frame of await Array.fromAsync(lines(response, decodeFrame)))
      if ('ok' in frame) results.push(frame);
  }
  expect(results).toHaveLength(all.length);
  for (const result of results) {
    if (!result.ok) throw new Error(`${result.ref} ${places.get(result.ref)?.path}: ${result.reason}`);
    expect(Buffer.from(result.payload.data, 'base64').toString()).toBe(`"needle ${result.ref}"`);
  }
});

describe('search', () => {
  it('finds the payload in each field once, if the caller continues after each limit', async () => {
    const found: string[] = [];
    let after: number | undefined;
    let requests = 0;
    for (;;) {
      requests += 1;
      const response = await answerTo('history:search', {
        text: 'needle',
        ...(after === undefined ? {} : { after }),
      });
      const frames = await Array.fromAsync(lines(response, searchFrame));
      for (const frame of frames)
        if (frame.type === 'hit') {
          expect(frame.path).toBe(places.get(frame.ref)?.path);
          found.push(frame.ref);
        }
      const end = frames.at(-1)!;
      if (end.type !== 'end') throw new Error('The search stream has no end frame.');
      if (end.reason === 'complete') break;
      expect(end.reason).toBe('limit');
      after = end.after;
    }
    expect(requests).toBeGreaterThan(2);
    expect(found.toSorted()).toEqual(refs().toSorted());
  });
});

describe('export', () => {
  const data = (value: unknown): string[] => {
    if (typeof value !== 'object' || value === null) return [];
    if ('metadata' in value && 'data' in value && typeof value.data === 'string')
      return [Buffer.from(value.data, 'base64').toString()];
    return Object.values(value).flatMap(data);
  };

  it('contains the payload of each field in decoded form', async () => {
    const decoded: any = await (await answerTo('history:export', { form: 'decoded' })).json();
    const needles = data(decoded).filter((text) => text.startsWith('"needle'));
    expect(needles.toSorted()).toEqual(
      refs()
        .map((ref) => `"needle ${ref}"`)
        .toSorted(),
    );
  });

  it('contains the payload of each field at the field’s path in readable form', async () => {
    const readable: any = await (await answerTo('history:export', { form: 'readable' })).json();
    expect(readable.summary).toMatchObject({ events: events.length, payloads: places.size, unreadable: {} });
    for (const [ref, { path }] of places) {
      const event = readable.events[Number(ref.split(':')[0]) - 1];
      const own = Object.keys(event).find((key) => key.endsWith('EventAttributes'))!;
      expect(at(event[own], path) ?? at(event, path), `${own} ${path}`).toBe(`needle ${ref}`);
    }
  });

  it('contains the payload of each field in encoded form, as Temporal stores it', async () => {
    const encoded: any = await (await answerTo('history:export', { form: 'encoded' })).json();
    const text = JSON.stringify(encoded);
    expect(text).not.toContain('needle');
    expect(encoded.events).toHaveLength(events.length);
    expect(text.split(Buffer.from('binary/envelope-kms-v2').toString('base64')).length - 1).toBe(places.size);
  });
});

/** Returns the value at a path in the notation of stubs. */
function at(value: any, path: string): unknown {
  const steps = [...path.matchAll(/\["([^"]+)"\]|\[(\d+)\]|(\w+)/g)].map(
    ([, key, index, name]) => key ?? index ?? name!,
  );
  return steps.reduce((within, step) => within?.[step], value);
}
