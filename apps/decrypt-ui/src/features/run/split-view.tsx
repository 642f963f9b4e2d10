import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef } from 'react';
import { Group, Panel, Separator } from 'react-resizable-panels';
import { SHEET_BELOW, useNarrowerThan } from '../../state/media.ts';
import { FULL_SHEET, MIN_SHEET, setSheetShare, useSheetShare } from '../../state/sheet.ts';
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
      {side && sheet ? <Sheet>{side}</Sheet> : null}
    </div>
  );
}

const STEP = 0.1;

/** A sheet over the lower part of the page. Its handle changes the height by dragging, and by the arrow keys. */
function Sheet({ children }: { children: ReactNode }) {
  const share = useSheetShare();
  const sheet = useRef<HTMLDivElement>(null);

  function drag(event: PointerEvent) {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const page = sheet.current?.parentElement?.getBoundingClientRect();
    if (page) setSheetShare((page.bottom - event.clientY) / page.height);
  }

  function step(event: KeyboardEvent) {
    const next = { ArrowUp: share + STEP, ArrowDown: share - STEP, Home: MIN_SHEET, End: 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    // The step below the whole page is the largest height that still shows rows.
    setSheetShare(share === 1 && event.key === 'ArrowDown' ? FULL_SHEET - STEP : next);
  }

  return (
    <div
      ref={sheet}
      className={styles['sheet']}
      data-full={share === 1 ? '' : undefined}
      style={{ height: `${share * 100}%` }}
    >
      <div
        role="separator"
        aria-orientation="horizontal"
        aria-label="Height of the inspector"
        aria-valuenow={Math.round(share * 100)}
        aria-valuemin={MIN_SHEET * 100}
        aria-valuemax={100}
        tabIndex={0}
        className={styles['handle']}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        onKeyDown={step}
      />
      <div className={styles['content']}>{children}</div>
    </div>
  );
}
