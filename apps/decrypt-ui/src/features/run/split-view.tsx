import type { ReactNode } from 'react';
import { Group, Panel, Separator } from 'react-resizable-panels';
import { SHEET_BELOW, useNarrowerThan } from '../../state/media.ts';
import { getPreferences, setPreferences } from '../../state/preferences.ts';
import styles from './split-view.module.css';

/** The page with the inspector next to it. On narrow screens the inspector is a sheet over the lower part of the page. */
export function SplitView({ side, children }: { side: ReactNode; children: ReactNode }) {
  const sheet = useNarrowerThan(SHEET_BELOW);
  return (
    <div className={styles['split']}>
      <Group orientation="horizontal" className={styles['group'] ?? ''}>
        <Panel id="run" className={styles['panel'] ?? ''} minSize="40%">
          {children}
        </Panel>
        {side && !sheet ? (
          <>
            <Separator className={styles['separator'] ?? ''} aria-label="Width of the inspector">
              <i className={styles['grip']} />
            </Separator>
            <Panel
              id="inspector"
              className={styles['side'] ?? ''}
              defaultSize={getPreferences().inspector}
              minSize={320}
              maxSize="50%"
              groupResizeBehavior="preserve-pixel-size"
              onResize={({ inPixels }) => {
                // The first size is reported before the layout.
                if (inPixels >= 320 && Math.abs(inPixels - getPreferences().inspector) > 1) {
                  setPreferences({ inspector: Math.round(inPixels) });
                }
              }}
            >
              {side}
            </Panel>
          </>
        ) : null}
      </Group>
      {side && sheet ? <div className={styles['sheet']}>{side}</div> : null}
    </div>
  );
}
