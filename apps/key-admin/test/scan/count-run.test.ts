import { expect, it } from 'vitest';
import { countRun } from '../../src/scan/count-run.ts';
import { ScanResults } from '../../src/scan/scan-results.ts';
import { ScanState } from '../../src/scan/state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { payloadOf } from '../support/messages.ts';

const START = Date.parse('2030-01-01T00:00:00Z');
const END = START + 60_000;
const message = (version: number) => ({ payloads: [payloadOf({ version, named: true })] });
const eventTime = (milliseconds: number): any => ({ seconds: milliseconds / 1000, nanos: 0 });

/** Counts a run whose history needs version 1. While the run is open, its pending work needs version 2. */
async function count(isListedAsOpen: boolean, hasEnded: boolean) {
  const state = await ScanState.open(`${await temporaryFolder()}/state/n.journal`);
  const found = new ScanResults([]);
  const source = {
    describeRun: async () => (hasEnded ? {} : { pendingActivities: [{ heartbeatDetails: message(2) }] }),
    async *history() {
      yield [
        { eventTime: eventTime(START), workflowExecutionStartedEventAttributes: { input: message(1) } },
        ...(hasEnded ? [{ eventTime: eventTime(END), workflowExecutionTerminatedEventAttributes: {} }] : []),
      ];
    },
  };
  const closeTime = isListedAsOpen ? undefined : END;
  const run = { workflowId: 'w', runId: 'r', isOpen: isListedAsOpen, startTime: START, closeTime };
  await countRun(source, run, state, found);
  const { keys } = found.toPart();
  const places = keys.map(({ key, places: counted }) =>
    Object.entries(counted).map(([place, { newest }]) => [key.version, place, newest.closeTime]),
  );
  return { places: places.flat(), isKept: state.get('r') !== undefined };
}

it.each([true, false])(
  'counts a closed run as closed, and keeps its summary (listed as open: %s)',
  async (isListedAsOpen) => {
    expect(await count(isListedAsOpen, true)).toEqual({ places: [[1, 'closed', END]], isKept: true });
  },
);

it.each([true, false])(
  'counts an open run as open, with its pending work (listed as open: %s)',
  async (isListedAsOpen) => {
    expect(await count(isListedAsOpen, false)).toEqual({
      places: [
        [2, 'open', undefined],
        [1, 'open', undefined],
      ],
      isKept: false,
    });
  },
);
