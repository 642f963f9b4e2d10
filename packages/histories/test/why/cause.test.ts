import { describe, expect, it } from 'vitest';
import { causeOf } from '../../src/why/facts/cause.ts';
import { allLocked } from '../../src/why/facts/run.ts';
import { libraryFrames } from '../../src/failures/library-frames.ts';
import { ownFrames } from '../../src/failures/stack-trace.ts';
import { activityFailure, application, reading, runOf, scheduled, started } from './run.ts';

const run = runOf([
  ...started,
  scheduled,
  ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 3 }],
  ['ActivityTaskFailed', { scheduledEventId: '5' }],
]);
const { groups } = run;

const unreadable = () => ({ status: 'unreadable', reason: 'key_destroyed' }) as const;

describe('causeOf', () => {
  it('returns the deepest failure that is not a wrapper, with the steps that lead to it', () => {
    const child = {
      message: 'Child Workflow execution failed',
      childWorkflowExecutionFailureInfo: {
        workflowExecution: { workflowId: 'ship-1', runId: 'r' },
        workflowType: { name: 'ship' },
        initiatedEventId: '9',
      },
      cause: application('ShipFailed', 'no ship', {
        cause: activityFailure({
          message: 'activity timed out',
          timeoutFailureInfo: { timeoutType: 'TIMEOUT_TYPE_SCHEDULE_TO_CLOSE' },
          cause: application('NoRoute', 'no route to host'),
        }),
      }),
    };
    const cause = causeOf(child, run);
    expect(cause).toMatchObject({
      type: 'NoRoute',
      message: { status: 'readable', text: 'no route to host', encrypted: false },
      wrappers: [
        'ChildWorkflowFailure',
        'ApplicationFailure: ShipFailed',
        'ActivityFailure',
        'TimeoutFailure',
      ],
      places: [
        { kind: 'child', name: 'ship', run: { workflowId: 'ship-1', runId: 'r' } },
        { kind: 'activity', name: 'charge' },
      ],
    });
    // This failure's event ids refer to the child's history, so they do not match this run's event 5.
    expect(cause?.places[1]).not.toHaveProperty('eventId');
  });

  it('returns the frames of the failure that wraps a codec error, because in a bundle, the codec’s frames look like the application’s', () => {
    const stackTrace = 'KmsCodecError: no key\n    at KmsCodec.decode (/srv/worker.js:1:2)';
    const codec = application('KmsCodecError:key_disabled', 'no key', { stackTrace });
    expect(causeOf(codec, run)).toMatchObject({ codec: 'key_disabled', frames: [] });
    const wrapped = application('OrderFailed', 'order 17', { cause: codec });
    expect(causeOf(wrapped, run)).toMatchObject({ codec: 'key_disabled', frames: [{ call: 'capture' }] });
  });

  it('returns the timeout itself if the timeout has no cause', () => {
    const failure = activityFailure({
      message: 'timeout',
      timeoutFailureInfo: { timeoutType: 'TIMEOUT_TYPE_HEARTBEAT' },
    });
    expect(causeOf(failure, run)).toMatchObject({
      type: 'TimeoutFailure',
      timeout: 'heartbeat',
      places: [{ name: 'charge', eventId: 7, attempt: 3 }],
    });
  });

  it('returns types and names but no message or frame while payloads are locked', () => {
    const failure = activityFailure(application('CardDeclined', '', {}, '7:0'));
    expect(causeOf(failure, run)).toMatchObject({
      type: 'CardDeclined',
      message: { status: 'locked', ref: '7:0' },
      frames: [],
      places: [{ name: 'charge' }],
      refs: ['7:0'],
    });
    const read = reading({
      '7:0': {
        message: 'Card 4242 declined',
        stack_trace: 'Error\n    at capture (/srv/app/capture.ts:88:11)',
      },
    });
    expect(causeOf(failure, { groups, read })).toMatchObject({
      message: { status: 'readable', text: 'Card 4242 declined', encrypted: true },
      frames: [{ call: 'capture', place: '/srv/app/capture.ts:88:11' }],
    });
    expect(causeOf(failure, { groups, read: unreadable })?.message).toEqual({
      status: 'unreadable',
      ref: '7:0',
      reason: 'key_destroyed',
    });
  });

  it('returns the frame of the innermost failure that has an application frame', () => {
    const library = {
      ...application('ECONNREFUSED', 'refused'),
      stackTrace: '    at connect (node:net:1555:16)',
    };
    const { frames } = causeOf(application('PayFailed', 'pay', { cause: library }), run) ?? {};
    expect(frames?.[0]?.call).toBe('capture');
  });

  it('returns undefined for a value that is not a failure, and stops in an endless chain', () => {
    for (const value of [undefined, null, 'boom', 7, []]) expect(causeOf(value, run)).toBeUndefined();
    let chain: object = application('Deep', 'deep');
    for (let level = 0; level < 1000; level += 1)
      chain = { message: 'x', activityFailureInfo: {}, cause: chain };
    expect(causeOf(chain, { groups, read: allLocked })?.kind).toBe('ActivityFailure');
  });
});

/** For each language, a trace whose innermost application frame is `own`. */
const traces: Readonly<Record<string, readonly [trace: string, own: string]>> = {
  JavaScript: [
    [
      'Error: x',
      '    at new Promise (<anonymous>)',
      '    at request (/srv/node_modules/undici/index.js:1:1)',
      '    at async Promise.all (index 0)',
      '    at async own (/srv/app/pay.ts:7:3)',
      '    at async Activity.execute (/srv/node_modules/@temporalio/worker/lib/activity.js:102:9)',
      '    at process.processTicks (node:internal/process/task_queues:105:5)',
    ].join('\n'),
    'async own',
  ],
  Python: [
    [
      '  File "/usr/lib/python3.12/site-packages/temporalio/worker/_activity.py", line 3, in run',
      '  File "/srv/app/pay.py", line 5, in outer',
      '  File "/srv/app/pay.py", line 12, in own',
      '  File "/usr/lib/python3.12/socket.py", line 9, in connect',
      '  File "<frozen importlib._bootstrap>", line 9, in load',
    ].join('\n'),
    'own',
  ],
  Go: [
    [
      'panic({0x1, 0x2})',
      '\t/usr/local/go/src/runtime/panic.go:770 +0x132',
      'github.com/lib/pq.(*conn).Exec(0x1)',
      '\tgithub.com/lib/pq@v1.10.9/conn.go:88',
      'shop/pay.own(0xc000)',
      '\t/srv/app/pay.go:88 +0x1d',
      'go.temporal.io/sdk/internal.(*activity).Execute(...)',
      '\tinternal/activity.go:44',
    ].join('\n'),
    'shop/pay.own',
  ],
  Java: [
    [
      'java.lang.IllegalStateException: x',
      '\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)',
      '\tat app//shop.Pay.own(Pay.java:88)',
      '\tat io.temporal.internal.activity.Executor.execute(Executor.java:1)',
    ].join('\n'),
    'app//shop.Pay.own',
  ],
  '.NET': [
    [
      '   at System.Linq.Enumerable.Single() in /_/src/Linq.cs:line 1',
      '   at Shop.Pay.Own(String id) in /srv/Pay.cs:line 88',
      '   at Temporalio.Worker.ActivityWorker.Run() in /_/src/Worker.cs:line 1',
    ].join('\n'),
    'Shop.Pay.Own(String id)',
  ],
  Ruby: [
    [
      "<internal:kernel>:18:in 'loop'",
      "/usr/lib/ruby/gems/3.4.0/gems/pg-1.5/lib/pg.rb:3:in 'exec'",
      "/srv/app/pay.rb:88:in 'own'",
    ].join('\n'),
    'own',
  ],
  PHP: [
    ['#0 /srv/vendor/guzzle/src/Client.php(3): send()', '#1 /srv/app/pay.php(88): own()'].join('\n'),
    'own()',
  ],
};

describe('ownFrames', () => {
  it.each(libraryFrames.map(({ language }) => language))(
    "finds the application's frames in a %s trace, innermost first",
    (language) => {
      const [trace, own] = traces[language]!;
      expect(ownFrames(trace)[0]?.call).toBe(own);
      expect(ownFrames(trace).length).toBeLessThan(3);
    },
  );
});
