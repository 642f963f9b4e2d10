import type { Attributes } from '@temporal-kms/codec-api';
import type { ReadPayload } from '../../src/why/facts/run.ts';
import { reading } from './run.ts';
import type { Draw } from './random.ts';

/** A fault in an invented shop. `message` and the code lines differ from run to run, as in production. */
export interface CorpusCause {
  readonly type: string;
  readonly place: { readonly kind: 'activity' | 'child' | 'workflow'; readonly name: string };
  readonly message: (draw: Draw) => string;
  /** The application's functions and files, innermost first. */
  readonly frames: readonly (readonly [call: string, file: string])[];
  readonly language: 'javascript' | 'python' | 'go' | 'java';
}

const names = ['Mira', 'Pavel', 'Ada', "O'Brien", 'Zoë', 'Li Wei'];
const uuid = (d: Draw) => `${d.hex(8)}-${d.hex(4)}-4${d.hex(3)}-a${d.hex(3)}-${d.hex(12)}`;
const order = (d: Draw) => d.one([`order-${d.whole(1, 99_999)}`, `ORD_${d.hex(6)}7`]);
const amount = (d: Draw) => d.one(['€', '$', '']) + (d.whole(1, 999_999) / 100).toFixed(2);
const time = (d: Draw) => new Date(1_900_000_000_000 + d.whole(0, 9e9)).toISOString();
const ip = (d: Draw) =>
  `10.${d.whole(0, 255)}.${d.whole(0, 255)}.${d.whole(1, 254)}:${d.whole(1024, 65_535)}`;
const activity = (name: string) => ({ kind: 'activity', name }) as const;

const declined = [
  ['capture', 'capture.ts'],
  ['charge', 'payments.ts'],
] as const;
const http = [['fetchJson', 'http.ts']] as const;

/**
 * Some faults share a type, some share frames, and some share an activity, but every two faults differ in at
 * least one part.
 */
export const corpusCauses: readonly CorpusCause[] = [
  {
    type: 'CardDeclined',
    place: activity('charge'),
    frames: declined,
    language: 'javascript',
    message: (d) => `Card ending in ${d.whole(1000, 9999)} was declined (attempt ${d.whole(1, 9)})`,
  },
  {
    type: 'CardDeclined',
    place: activity('charge'),
    frames: declined,
    language: 'javascript',
    message: (d) => `Limit of ${amount(d)} exceeded for order ${order(d)}`,
  },
  {
    type: 'CardDeclined',
    place: activity('refund'),
    frames: declined,
    language: 'javascript',
    message: (d) => `Card ending in ${d.whole(1000, 9999)} was declined (attempt ${d.whole(1, 9)})`,
  },
  {
    type: 'HttpError',
    place: activity('quote'),
    frames: http,
    language: 'javascript',
    message: (d) =>
      `GET https://carrier-${d.whole(1, 9)}.example.com/quotes/${uuid(d)} returned 503 after ${d.whole(10, 9999)}ms`,
  },
  {
    type: 'HttpError',
    place: activity('track'),
    frames: http,
    language: 'javascript',
    message: (d) =>
      `GET https://carrier-${d.whole(1, 9)}.example.com/tracks/${uuid(d)} returned 503 after ${d.whole(10, 9999)}ms`,
  },
  {
    type: 'HttpError',
    place: activity('quote'),
    frames: http,
    language: 'javascript',
    message: (d) => `certificate of api-${d.whole(1, 40)}.example.com expired at ${time(d)}`,
  },
  {
    type: 'ECONNREFUSED',
    place: activity('reserve'),
    frames: [
      ['query', 'db.ts'],
      ['reserve', 'stock.ts'],
    ],
    language: 'javascript',
    message: (d) => `connect ECONNREFUSED ${ip(d)}`,
  },
  {
    type: 'ECONNREFUSED',
    place: activity('reserve'),
    frames: [
      ['publish', 'queue.ts'],
      ['reserve', 'stock.ts'],
    ],
    language: 'javascript',
    message: (d) => `connect ECONNREFUSED ${ip(d)}`,
  },
  {
    type: 'TypeError',
    place: activity('render'),
    frames: [['invoiceLines', 'invoice.ts']],
    language: 'javascript',
    message: () => "Cannot read properties of undefined (reading 'price')",
  },
  {
    type: 'TypeError',
    place: activity('render'),
    frames: [['addressLines', 'invoice.ts']],
    language: 'javascript',
    message: () => "Cannot read properties of undefined (reading 'street')",
  },
  {
    type: 'OutOfStock',
    place: activity('reserve'),
    frames: [
      ['take', 'stock.py'],
      ['reserve', 'stock.py'],
    ],
    language: 'python',
    message: (d) =>
      `only ${d.whole(0, 5)} of ${d.whole(6, 90)} pieces of "${d.one(names)} ${d.hex(4)}" in stock`,
  },
  {
    type: 'KeyError',
    place: activity('price'),
    frames: [['discount', 'price.py']],
    language: 'python',
    message: (d) => `'customer-${d.whole(1, 9999)}'`,
  },
  {
    type: 'ValueError',
    place: activity('price'),
    frames: [['parse_amount', 'price.py']],
    language: 'python',
    message: (d) => `could not convert string to float: '${amount(d)}'`,
  },
  {
    type: 'MailRejected',
    place: activity('notify'),
    frames: [['send', 'mail.py']],
    language: 'python',
    message: (d) => `550 mailbox of user${d.whole(1, 999)}@example.com is full since ${time(d)}`,
  },
  {
    type: 'wrapError',
    place: activity('label'),
    frames: [
      ['shop/label.Print', 'label.go'],
      ['shop/label.Run', 'run.go'],
    ],
    language: 'go',
    message: (d) => `printer ${d.one(['north', 'north'])}-${d.whole(1, 20)}: paper jam at 0x${d.hex(8)}`,
  },
  {
    type: 'PathError',
    place: activity('label'),
    frames: [['shop/label.Load', 'label.go']],
    language: 'go',
    message: (d) => `open /var/lib/labels/${d.hex(12)}/${d.whole(1, 99)}.pdf: no such file or directory`,
  },
  {
    type: 'java.lang.IllegalStateException',
    place: activity('settle'),
    frames: [['shop.Ledger.post', 'Ledger.java']],
    language: 'java',
    message: (d) => `ledger ${uuid(d)} is closed since ${time(d)}`,
  },
  {
    type: 'java.lang.IllegalStateException',
    place: activity('settle'),
    frames: [['shop.Ledger.balance', 'Ledger.java']],
    language: 'java',
    message: (d) => `debit ${amount(d)} differs from credit ${amount(d)}`,
  },
  {
    type: 'AddressUnknown',
    place: { kind: 'child', name: 'ship' },
    frames: [['route', 'ship.ts']],
    language: 'javascript',
    message: (d) => `no courier for '${d.one(names)} ${d.whole(10_000, 99_999)}'`,
  },
  {
    type: 'AddressUnknown',
    place: activity('quote'),
    frames: [['street', 'address.ts']],
    language: 'javascript',
    message: (d) =>
      `customer ${d.one(names)} moved to ${d.one(['Berlin', 'New York', 'Brno'])} ${d.whole(1, 9)} days ago`,
  },
  {
    type: 'OrderExpired',
    place: { kind: 'workflow', name: 'order' },
    frames: [['order', 'workflows.ts']],
    language: 'javascript',
    message: (d) => `order ${order(d)} expired ${d.whole(1, 90)} days ago`,
  },
];

/** Returns the failure of a run with the fault, in one of two builds, with random attempts and values. */
export function corpusRun(
  cause: CorpusCause,
  draw: Draw,
): { readonly failure: Attributes; readonly read: ReadPayload } {
  const build = draw.one([0, 1]);
  const message = cause.message(draw);
  const trace = traceOf(cause, message, build, draw);
  const root: Attributes = {
    message: 'Encoded failure',
    encodedAttributes: { $payload: '9:0' },
    applicationFailureInfo: { type: cause.type },
  };
  const read = reading({ '9:0': { message, stack_trace: trace } });
  const { kind, name } = cause.place;
  if (kind === 'workflow') return { failure: root, read };
  return {
    failure:
      kind === 'child'
        ? {
            message: 'Child Workflow execution failed',
            childWorkflowExecutionFailureInfo: {
              workflowType: { name },
              workflowExecution: { workflowId: `ship-${draw.whole(1, 9999)}`, runId: uuid(draw) },
            },
            cause: root,
          }
        : {
            message: 'Activity task failed',
            activityFailureInfo: {
              activityType: { name },
              activityId: String(draw.whole(1, 90)),
              identity: `${draw.whole(1, 99)}@pod-${draw.hex(5)}`,
            },
            cause: root,
          },
    read,
  };
}

/**
 * The second build has the code in another folder and on other lines, and its bundler adds a hash to file
 * names.
 */
function traceOf(
  { language, frames, type }: CorpusCause,
  message: string,
  build: number,
  draw: Draw,
): string {
  const line = (index: number) => 10 + index * 7 + build * draw.one([3, 4]);
  switch (language) {
    case 'javascript': {
      const place = (file: string) =>
        build === 0 ? `/srv/app/src/${file}` : `file:///opt/build-${draw.hex(4)}1/dist/${file}`;
      return [
        `${type}: ${message}`,
        ...frames.map(
          ([call, file], index) =>
            `    at ${index > 0 ? 'async ' : ''}${call} (${place(file)}:${line(index)}:${draw.whole(1, 40)})`,
        ),
        `    at async Activity.execute (/srv/node_modules/@temporalio/worker/lib/activity.js:${100 + build}:9)`,
        '    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)',
      ].join('\n');
    }
    case 'python':
      return [
        `  File "/usr/lib/python3.1${build + 2}/site-packages/temporalio/worker/_activity.py", line ${400 + build}, in _run`,
        ...frames
          .toReversed()
          .flatMap(([call, file], index) => [
            `  File "/srv/${build === 0 ? 'app' : 'release/app'}/${file}", line ${line(index)}, in ${call}`,
            '    raise error',
          ]),
      ].join('\n');
    case 'go':
      return [
        ...frames.flatMap(([call, file], index) => [
          `${call}(0xc000${draw.hex(6)}, {0x${draw.hex(6)}, 0x${draw.hex(2)}})`,
          `\t/src/${build === 0 ? 'shop' : 'mono/shop'}/${file}:${line(index)} +0x${draw.hex(3)}`,
        ]),
        'go.temporal.io/sdk/internal.(*activityTaskHandlerImpl).Execute(...)',
        `\t/go/pkg/mod/go.temporal.io/sdk@v1.3${build}.0/internal/internal_task_handlers.go:2200`,
      ].join('\n');
    case 'java':
      return [
        ...frames.map(
          ([call, file], index) => `\tat ${build === 0 ? '' : 'app//'}${call}(${file}:${line(index)})`,
        ),
        '\tat io.temporal.internal.activity.RootActivityInboundCallsInterceptor.execute(Root.java:64)',
        '\tat java.base/java.lang.Thread.run(Thread.java:840)',
      ].join('\n');
  }
}
