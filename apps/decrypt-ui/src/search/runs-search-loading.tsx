import { useLayoutEffect, useRef } from 'react';
import { SearchField } from '../ui/controls/search-field.tsx';
import { useRunsSearch, useRunsSearchState } from './use-runs-search.ts';
import styles from './runs-search-panel.module.css';

/**
 * Replaces the panel while its code loads. The search field appears immediately, and the panel takes over the
 * field's text, so that no keystroke is lost or runs a command.
 */
export function RunsSearchLoading({ onLeave }: { onLeave: () => void }) {
  const runsSearch = useRunsSearch();
  const { text } = useRunsSearchState();
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  return (
    <aside className={styles['panel']} aria-label="Search in payloads" aria-busy>
      <div className={styles['head']}>
        <SearchField
          ref={field}
          label="Text in the payloads of all runs"
          placeholder="Text in decrypted payloads"
          value={text}
          onChange={(next) => runsSearch.setText(next)}
          onKeyDown={({ key }) => {
            if (key === 'Enter') runsSearch.enter();
            if (key !== 'Escape') return;
            runsSearch.clear();
            onLeave();
          }}
        />
      </div>
    </aside>
  );
}
