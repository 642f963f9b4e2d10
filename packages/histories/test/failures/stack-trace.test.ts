import { isFrame, ownFrames, stackLines, stackRows } from '../../src/failures/index.ts';
import { describe, expect, test } from 'vitest';

const frames = (text: string) =>
  stackLines(text)
    .filter(isFrame)
    .map(({ call, place, own }) => [call, place, own]);

describe('stackLines', () => {
  test('parses JavaScript traces', () => {
    expect(
      frames(
        [
          'Error: declined',
          '    at capture (/srv/app/capture.ts:88:11)',
          '    at async Pay.run (file:///srv/app/pay.ts:1:2)',
          '    at /srv/app/main.ts:9:1',
          String.raw`    at Object.<anonymous> (C:\Program Files (x86)\app\pay.js:10:5)`,
          '    at async Activity.execute (/srv/node_modules/@temporalio/worker/lib/activity.js:102:9)',
          '    at process.processTicks (node:internal/process/task_queues:105:5)',
        ].join('\n'),
      ),
    ).toEqual([
      ['capture', '/srv/app/capture.ts:88:11', true],
      ['async Pay.run', 'file:///srv/app/pay.ts:1:2', true],
      ['', '/srv/app/main.ts:9:1', true],
      ['Object.<anonymous>', String.raw`C:\Program Files (x86)\app\pay.js:10:5`, true],
      ['async Activity.execute', '/srv/node_modules/@temporalio/worker/lib/activity.js:102:9', false],
      ['process.processTicks', 'node:internal/process/task_queues:105:5', false],
    ]);
  });

  test('parses Python traces, with the source lines', () => {
    const lines = stackLines(
      [
        '  File "/srv/app/pay.py", line 12, in capture',
        '    raise Declined()',
        '  File "/usr/lib/python3.12/site-packages/temporalio/worker/_activity.py", line 3, in run',
      ].join('\n'),
    );
    expect(lines).toEqual([
      { call: 'capture', place: '/srv/app/pay.py:12', code: 'raise Declined()', own: true },
      {
        call: 'run',
        place: '/usr/lib/python3.12/site-packages/temporalio/worker/_activity.py:3',
        own: false,
      },
    ]);
  });

  test('parses Go, Java, .NET, Ruby and PHP traces', () => {
    expect(
      frames(
        [
          'shop/pay.Capture(0xc000, {0x1, 0x2})',
          '\t/srv/app/pay.go:88 +0x1d',
          'go.temporal.io/sdk/internal.(*activity).Execute(...)',
          '\t/go/pkg/mod/go.temporal.io/sdk@v1.30.0/internal/activity.go:44',
          '\tat shop.Capture.run(Capture.java:88)',
          '\tat java.base/java.lang.Thread.run(Thread.java:840)',
          '\tat shop.Capture.call(Unknown Source)',
          '   at Shop.Capture.Run(String id) in /srv/Capture.cs:line 88',
          '   at Shop.Capture.Pay(String id)',
          "/srv/app/pay.rb:88:in 'capture'",
          '#0 /srv/app/pay.php(88): capture()',
        ].join('\n'),
      ),
    ).toEqual([
      ['shop/pay.Capture', '/srv/app/pay.go:88', true],
      [
        'go.temporal.io/sdk/internal.(*activity).Execute',
        '/go/pkg/mod/go.temporal.io/sdk@v1.30.0/internal/activity.go:44',
        false,
      ],
      ['shop.Capture.run', 'Capture.java:88', true],
      ['java.base/java.lang.Thread.run', 'Thread.java:840', false],
      ['shop.Capture.call', 'Unknown Source', true],
      ['Shop.Capture.Run(String id)', '/srv/Capture.cs:88', true],
      ['Shop.Capture.Pay', 'String id', true],
      ['capture', '/srv/app/pay.rb:88', true],
      ['capture()', '/srv/app/pay.php:88', true],
    ]);
  });

  test('keeps lines in an unknown form as text', () => {
    const lines = [
      'oops',
      'something (else)',
      '    at customer Mira Novak (id 17)',
      '    at warehouse Berlin (id:17)',
      '    at customer (Mira (id v1.2):17)',
      '    at order.items(17)',
      '    at 10.1.2.3:5432',
      '    at 12:30:45',
    ];
    expect(stackLines(lines.join('\n\n'))).toEqual(lines.map((text) => ({ text })));
  });
});

describe('ownFrames', () => {
  test('returns the innermost frame first, even if a line of the message looks like a Python frame', () => {
    const trace = `Error: no import
File "orders.csv" is missing
    at inner (/srv/app/a.ts:1:1)
    at outer (/srv/app/b.ts:2:2)`;
    expect(ownFrames(trace).map(({ call }) => call)).toEqual(['inner', 'outer']);
  });

  test.each([
    ['line feeds', '\n'.repeat(200_000)],
    ['carriage returns', '\r'.repeat(200_000)],
    ['parentheses in parentheses', `    at ${'(a.)'.repeat(240)}\n`.repeat(400)],
    ['places in a place', `    at f (${'.:1'.repeat(320)}x)\n`.repeat(10_000)],
    ['parentheses', `${'('.repeat(1_999)}\n`.repeat(2_000)],
  ])('takes linear time for %s', { timeout: 30_000 }, (_, text) => {
    expect(ownFrames(text)).toEqual([]);
  });
});

describe('the stack trace view', () => {
  const trace = stackLines(
    [
      'Error: x',
      '    at lib (/srv/node_modules/a/a.js:1:1)',
      '    at lib (/srv/node_modules/b/b.js:1:1)',
      '    at own (/srv/own.ts:1:1)',
      '    at lib (/srv/node_modules/c/c.js:1:1)',
    ].join('\n'),
  );

  test('shows a very long line as text, without parsing it', () => {
    const long = `call${'('.repeat(200_000)}`;
    expect(stackLines(`${long}\n\t/srv/capture.go:88`)[0]).toEqual({ text: long });
  });

  const kinds = (open: ReadonlySet<number>) =>
    stackRows(trace, open).map((row) => (row.kind === 'line' ? 'line' : row.count));

  test('folds adjacent library frames until the reader opens them', () => {
    expect(kinds(new Set())).toEqual(['line', 2, 'line', 1]);
    expect(kinds(new Set([1]))).toEqual(['line', 2, 'line', 'line', 'line', 1]);
  });

  test('shows all frames if none belongs to the application', () => {
    const foreign = trace.filter((line) => !isFrame(line) || !line.own);
    expect(stackRows(foreign, new Set()).every(({ kind }) => kind === 'line')).toBe(true);
  });
});
