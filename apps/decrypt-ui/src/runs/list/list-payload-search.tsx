import type { SearchHit } from '@temporal-kms/codec-api';
import { type ComponentProps, useState } from 'react';
import type { Payloads } from '../../payloads/decoder.ts';
import { PayloadsProvider, usePayload } from '../../payloads/payloads-context.tsx';
import type { RunsOfList } from '../../search/found-runs.tsx';
import { hitContext } from '../../search/hit-context.ts';
import { RunsSearchPanel } from '../../search/runs-search-panel.tsx';
import { HitSnippet } from '../../search/search-hit.tsx';
import type { RunAddress } from '../../session/server/addresses.ts';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { useRunSessions } from '../run/run-context.tsx';

type ListPayloadSearchProps = Omit<ComponentProps<typeof RunsSearchPanel>, keyof RunsOfList>;

/** The panel that searches the payloads of all runs in the list. */
export function ListPayloadSearch(props: ListPayloadSearchProps) {
  const sessions = useRunSessions();
  /** Payloads by run id. */
  const [payloads] = useState(() => new Map<string, Payloads>());

  function payloadsOf(run: RunAddress): Payloads {
    const known = payloads.get(run.runId);
    if (known) return known;
    const made = sessions.payloadsOf(run);
    payloads.set(run.runId, made);
    return made;
  }

  return (
    <RunsSearchPanel
      {...props}
      renderOutcome={({ status }) => {
        const outcome = outcomeOf(status);
        return (
          <>
            <OutcomeGlyph outcome={outcome} />
            <span className="sr-only">{outcomeText[outcome]}: </span>
          </>
        );
      }}
      renderHit={(run, hit) => (
        <PayloadsProvider payloads={payloadsOf(run)}>
          <Hit hit={hit} />
        </PayloadsProvider>
      )}
      onOpen={(run, found) => sessions.get(run).find.adopt(found)}
    />
  );
}

/**
 * A hit, with its context if the person may read the payload and has not locked it. Does not read payloads from
 * external storage again.
 */
function Hit({ hit }: { hit: SearchHit }) {
  const view = usePayload(hit.stored ? undefined : hit.ref);
  const context = view.status === 'readable' ? hitContext(view.value, hit) : undefined;
  return <HitSnippet hit={hit} context={context} />;
}
