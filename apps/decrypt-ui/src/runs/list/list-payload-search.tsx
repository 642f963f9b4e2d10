import type { ComponentProps } from 'react';
import type { RunsOfList } from '../../search/found-runs.tsx';
import { RunsSearchPanel } from '../../search/runs-search-panel.tsx';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { useRunSessions } from '../run/run-context.tsx';

type ListPayloadSearchProps = Omit<ComponentProps<typeof RunsSearchPanel>, keyof RunsOfList>;

/** The search in the payloads of all runs of the list. */
export function ListPayloadSearch(props: ListPayloadSearchProps) {
  const sessions = useRunSessions();
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
      onOpen={(run, found) => sessions.get(run).find.adopt(found)}
    />
  );
}
