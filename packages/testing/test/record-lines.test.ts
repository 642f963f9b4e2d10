import { expect, it } from 'vitest';
import { recordLines } from '../src/record-lines.ts';

it('recordLines returns JSON with one record per line', () => {
  const file = {
    about: 'two',
    vectors: [{ a: [1, { b: null }] }, 'x'],
    of: { one: [1, 2], none: {} },
    empty: [],
  };
  const text = recordLines(file);
  expect(JSON.parse(text)).toEqual(file);
  expect(text).toBe(`{
  "about": "two",
  "vectors": [
    {"a":[1,{"b":null}]},
    "x"
  ],
  "of": {
    "one": [1,2],
    "none": {}
  },
  "empty": []
}
`);
});
