import { expect, it } from 'vitest';
import { encodingOf, payloadsIn, rawText, textOf } from '../src/history.ts';

const payload = (text: string) => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(text),
});
const event = {
  eventId: 1,
  attributes: {
    input: { payloads: [payload('first'), payload('second')] },
    header: { fields: { trace: payload('third') } },
    identity: 'a worker',
    nothing: null,
  },
};

it('payloadsIn finds payloads at any depth, and returns them in the order of the message', () => {
  const found = payloadsIn(event);
  expect(found.map(textOf)).toEqual(['first', 'second', 'third']);
  expect(new Set(found.map(encodingOf))).toEqual(new Set(['json/plain']));
});

it('rawText returns a message’s strings and bytes as text', () => {
  for (const part of ['first', 'third', 'json/plain', 'a worker']) expect(rawText(event)).toContain(part);
});
