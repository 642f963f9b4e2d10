import { describe, expect, test } from 'vitest';
import { jsonInline } from '../../../src/payloads/value/json-text.ts';
import {
  type JsonRow,
  jsonRows,
  LONG,
  memberCount,
  nextRow,
  parentRow,
  RANGE,
  rowTokens,
  SHORT,
} from '../../../src/payloads/value/json-tree.ts';

const text = (rows: readonly JsonRow[]) =>
  rows.map((row) =>
    rowTokens(row)
      .map((token) => token.text)
      .join(''),
  );
const customer = { name: 'Maren Vogel', email: 'maren.vogel@mail.example', city: 'Kiel' };
const order = { customer, items: [{ sku: 'SKU-1', count: 2 }] };

describe('a JSON tree', () => {
  test('shows the first members of an object that the user has folded', () => {
    const rows = jsonRows(order, { chosen: new Map([[customer, false]]), lines: SHORT });
    expect(text(rows)).toEqual([
      '{',
      '  customer: { name: "Maren Vogel", email: "maren.vogel@mail.example", ci…,',
      '  items: [{ sku: "SKU-1", count: 2 }]',
      '}',
    ]);
    expect(memberCount(rows[1]!)).toBe(3);
  });

  test('finds a line’s parent line', () => {
    const rows = jsonRows(order);
    const name = text(rows).findIndex((line) => line.includes('Maren'));
    expect(text(rows)[parentRow(rows, name)]).toBe('  customer: {');
    expect(parentRow(rows, 1)).toBe(0);
    expect(parentRow(rows, 0)).toBe(-1);
  });

  test('skips lines that close an object when the user moves through the tree with the keyboard', () => {
    const rows = jsonRows({ customer, last: { customer } });
    const stops: string[] = [];
    for (let at = nextRow(rows, -1, 1); stops.length < rows.length; at = nextRow(rows, at, 1))
      stops.push(text(rows)[at]!.trim());
    expect(stops.slice(0, 10)).toEqual([
      '{',
      'customer: {',
      'name: "Maren Vogel",',
      'email: "maren.vogel@mail.example",',
      'city: "Kiel"',
      'last: {',
      'customer: {',
      'name: "Maren Vogel",',
      'email: "maren.vogel@mail.example",',
      'city: "Kiel"',
    ]);
    // The position does not move past the last line.
    expect(stops.at(-1)).toBe('city: "Kiel"');
    expect(text(rows)[nextRow(rows, rows.length, -1)]).toContain('Kiel');
    expect(text(rows)[nextRow(rows, 6, -1)]).toContain('Kiel');
  });

  test('folds 200,000 numbers into ranges, and reads only the numbers in open ranges', () => {
    const numbers = Array.from({ length: 200_000 }, (_, index) => index);
    let reads = 0;
    const watched = new Proxy(numbers, {
      get: (target, name, receiver) => {
        reads += 1;
        return Reflect.get(target, name, receiver);
      },
    });
    const rows = jsonRows({ watched }, { chosen: new Map(), lines: 3 });
    expect(rows).toHaveLength(200 + RANGE + 4);
    expect(text(rows.slice(1, 5))).toEqual(['  watched: [', '    0 … 999', '      0,', '      1,']);
    expect(text(rows.slice(-3))).toEqual(['    199,000 … 199,999', '  ]', '}']);
    expect(memberCount(rows.at(-3)!)).toBe(RANGE);
    expect(reads).toBeLessThan(5 * RANGE);
    const last = rows.at(-3)!;
    const opened = jsonRows({ watched }, { chosen: new Map([[last.value, true]]), lines: 2 });
    expect(text(opened.slice(-3))).toEqual(['      199999', '  ]', '}']);
    expect(opened[parentRow(opened, opened.length - 3)]?.value).toBe(last.value);
    reads = 0;
    expect(jsonInline(watched, 160)).not.toHaveLength(0);
    expect(text(jsonRows({ watched }, { chosen: new Map(), lines: 1 }))[1]).toContain('watched: [0, 1, 2');
    expect(reads).toBeLessThan(RANGE);
  });

  test('names the first and the last member of a range in a long object', () => {
    const members = Array.from({ length: 1500 }, (_, index) => [`key ${index}`, index] as const);
    const rows = jsonRows(Object.fromEntries(members), { chosen: new Map(), lines: 1 });
    expect(text(rows)).toEqual(['{', '  "key 0" … "key 999"', '  "key 1000" … "key 1499"', '}']);
  });

  test('shows the beginning of a long string, and how much it omits', () => {
    const [line] = text(jsonRows('x'.repeat(1_000_000)));
    expect(line).toMatch(/^"x{9999}… 990,000 more characters$/);
  });

  test('folds the later objects of a long value until the user opens them', () => {
    const list = Array.from({ length: 12_000 }, (_, index) => ({ index, ...customer }));
    const rows = jsonRows(list);
    expect(rows.at(2)?.kind).toBe('open');
    expect(rows.at(-2)?.kind).toBe('folded');
    expect(rows.length).toBeLessThan(SHORT + RANGE);
    const all = jsonRows(list, { chosen: new Map(), lines: LONG });
    expect(all.filter(({ kind }) => kind === 'open').length).toBeGreaterThan(3000);
    const last = list.at(-1);
    expect(jsonRows(list, { chosen: new Map([[last, true]]), lines: 0 })).toHaveLength(1);
    const opened = jsonRows(list, {
      chosen: new Map<unknown, boolean>([
        [last, true],
        [rows.at(-2)?.value, true],
        [list, true],
      ]),
      lines: 0,
    });
    expect(opened.at(-3)).toMatchObject({ name: 'city', value: 'Kiel' });
  });
});
