import type { CauseFrame, RunCause } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import { accessToCauses } from '../../payloads/reveal/reveals.ts';
import { perPerson } from '../../payloads/reveal/per-person.ts';
import { type Opening, whenHidden } from '../../payloads/reveal/when-hidden.ts';
import { oneAtATime, type Progress, stopped } from '../../search/one-at-a-time.ts';
import { hasRead, readOn, sumUnreadable } from '../../search/read-on.ts';
import { type CausesSource, openingToCauses, requestCauses } from './request-causes.ts';

/** The runs that match a visibility query and have failed or keep failing their workflow task. */
interface FailedRuns {
  readonly namespace: string;
  /** A visibility query without relative times. */
  readonly query: string;
}

/** The failed runs that have been read so far, and whether reading continues. */
export interface CausesProgress
  extends FailedRuns, Opening, Progress<string>, Pick<CauseEnd, 'failed' | 'kmsCalls' | 'unreadable'> {
  readonly runs: readonly RunCause[];
  /** Number of matching runs; undefined until the first line of the response has arrived. */
  readonly total: number | undefined;
  /** The share of the runs that the server reads: 1, or less for a sample. */
  readonly share: number;
  /** Whether Temporal can list the runs whose workflow task keeps failing. */
  readonly failingTasks: boolean;
  /**
   * The justification that the person gave after the server had refused a request without one. Stored only in
   * memory.
   */
  readonly justification?: string | undefined;
}

type CauseEnd = Extract<CauseFrame, { type: 'end' }>;

interface CausesState {
  readonly progress: CausesProgress | undefined;
  /**
   * The id of the open group. The address must not contain this id, which is a hash of the message's shape.
   */
  readonly open: string | undefined;
  /** Whether reading stopped because no page showed the runs any more. */
  readonly isLeft: boolean;
}

export type Causes = ReturnType<typeof createCauses>;

/**
 * Reads why the runs of a query failed. Keeps the result while the user is on another page, so that it is
 * still there when the user goes back.
 */
function createCauses(source: CausesSource) {
  const store = createStore<CausesState>()(() => ({ progress: undefined, open: undefined, isLeft: false }));
  const reading = oneAtATime();
  /** Number of pages that show the runs. */
  let pages = 0;

  function run(begun: CausesProgress) {
    store.setState({ isLeft: false });
    const signal = reading.begin();
    const runs = new Map(begun.runs.map((each) => [each.runId, each]));
    const { namespace, query, decoded, grant, justification } = begun;
    const request = { namespace, query, decoded, grant, justification };
    void readOn<string, CauseFrame, CausesProgress>(
      {
        known: begun,
        open: (after) => requestCauses(source, { ...request, after }, signal),
        add: (now, frame, base) => {
          if (frame.type === 'start') {
            const { total, share, failingTasks } = frame;
            return { ...now, total, share, failingTasks };
          }
          if (frame.type !== 'run') return { ...now, after: frame.after, ...sum(base, frame) };
          runs.set(frame.runId, frame);
          return now;
        },
        goesOn: hasRead,
        renewed: source.api.renewed,
        publish: (now) => store.setState({ progress: { ...now, runs: [...runs.values()] } }),
      },
      signal,
    );
  }

  /** Drops the runs with their messages. */
  function forget() {
    reading.stop();
    store.setState({ progress: undefined });
  }

  function stop() {
    reading.stop();
    store.setState(({ progress }) => ({ progress: stopped(progress) }));
  }

  const begin = (of: FailedRuns) => run({ ...nothingRead, ...of, ...openingToCauses(source, of.namespace) });

  whenHidden(source, accessToCauses, () => store.getState().progress, forget);
  source.plaintext.onClear(forget);

  return {
    store,
    setOpen: (open: string | undefined) => store.setState({ open }),
    /**
     * Call when a page opens. Returns a function to call when the user leaves the page: it stops reading until
     * the next call of `show`.
     */
    enter() {
      pages += 1;
      return () => {
        pages -= 1;
        // Waits, because React's strict mode unmounts and remounts each page that opens.
        queueMicrotask(() => {
          if (pages > 0 || store.getState().progress?.status !== 'running') return;
          stop();
          store.setState({ isLeft: true });
        });
      };
    },
    /**
     * Reads the runs, unless the tab has been hidden for too long, or the last result already contains all
     * that the person may see.
     */
    show(of: FailedRuns) {
      if (source.reveals.store.getState().away) return;
      const { progress, isLeft } = store.getState();
      const isKnown =
        progress?.namespace === of.namespace &&
        progress.query === of.query &&
        progress.decoded === openingToCauses(source, of.namespace).decoded;
      if (!isKnown) begin(of);
      else if (isLeft) run(progress);
    },
    /** Reads the runs again from the beginning. */
    again: begin,
    stop,
    /** Continues after the last run that was read, with the given justification if the server requires one. */
    resume(given?: string) {
      const { progress } = store.getState();
      if (progress) run({ ...progress, justification: given ?? progress.justification });
    },
  };
}

const nothingRead: Omit<CausesProgress, keyof FailedRuns | keyof Opening> = {
  status: 'running',
  runs: [],
  total: undefined,
  share: 1,
  failingTasks: true,
  failed: 0,
  kmsCalls: 0,
  unreadable: {},
  after: undefined,
};

type Counts = Pick<CausesProgress, 'failed' | 'kmsCalls' | 'unreadable'>;

/** Adds the counts of a request to those of earlier requests. */
const sum = (base: Counts, added: Counts): Counts => ({
  failed: base.failed + added.failed,
  kmsCalls: base.kmsCalls + added.kmsCalls,
  unreadable: sumUnreadable(base, added),
});

export const causesOf = perPerson(createCauses);
