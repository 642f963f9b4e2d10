import {
  createContext,
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  useContext,
  useEffect,
  useRef,
  useState,
} from 'react';
import { MIN_INSPECTOR, setPreferences, usePreferences } from '../preferences/preferences.ts';
import {
  FULL_SHEET,
  MIN_SHEET,
  setSheetShare,
  sheetHeight,
  useSheetShare,
} from '../preferences/sheet-height.ts';
import { SHEET_BELOW, useNarrowerThan } from '../preferences/window-size.ts';
import { useSize } from '../use-size.ts';
import styles from './split-view.module.css';

interface SplitViewProps {
  readonly side: ReactNode;
  /** Whether to reserve space for an inspector that is about to open, so that opening it moves nothing. */
  readonly reserve: boolean;
  readonly children: ReactNode;
}

const Covered = createContext(0);
/** Returns how many CSS pixels at the bottom of the page the sheet covers; zero if the sheet covers the whole page. */
export const useCovered = (): number => useContext(Covered);

/**
 * The page with the inspector next to it. On narrow screens the inspector is a sheet over the lower part of the page.
 */
export function SplitView({ side, reserve, children }: SplitViewProps) {
  const sheet = useNarrowerThan(SHEET_BELOW);
  const [ref, { width, height }] = useSize();
  const share = useSheetShare();
  const high = sheetHeight(share, height);
  return (
    <div ref={ref} className={styles['split']}>
      <div className={styles['page']}>
        <Covered value={sheet && side && share < 1 ? high : 0}>{children}</Covered>
      </div>
      {side || (reserve && !sheet) ? (
        <Panel sheet={sheet} high={high} most={Math.max(Math.floor(width / 2), MIN_INSPECTOR)}>
          {side}
        </Panel>
      ) : null}
    </div>
  );
}

interface PanelProps {
  readonly sheet: boolean;
  /** The sheet's height. */
  readonly high: number;
  /** The inspector's maximum width next to the page, in CSS pixels. */
  readonly most: number;
  readonly children: ReactNode;
}

/**
 * The inspector, next to the page or as a sheet. The inspector's contents stay mounted when the inspector becomes a
 * sheet or stops being a sheet, so a payload dialog stays open when the user rotates a tablet.
 */
function Panel({ sheet, high, most, children }: PanelProps) {
  const { inspector } = usePreferences();
  const share = useSheetShare();
  const [dragged, setDragged] = useState<number>();
  const panel = useRef<HTMLDivElement>(null);
  // In a short window the whole page scrolls. Scrolls until the sheet and the rows above the sheet are in view.
  useEffect(() => {
    if (sheet && high > 0) panel.current?.scrollIntoView({ block: 'end' });
  }, [sheet, high]);
  return (
    <>
      {sheet ? null : <WidthHandle most={most} dragged={dragged} onDrag={setDragged} />}
      <div
        ref={panel}
        className={styles[sheet ? 'sheet' : 'side']}
        data-full={sheet && share === 1 ? '' : undefined}
        style={sheet ? { height: high } : { width: dragged ?? inspector }}
      >
        {sheet ? <HeightHandle share={share} /> : null}
        <div className={styles['content']}>{children}</div>
      </div>
    </>
  );
}

/** The change of the width per key press, in CSS pixels. */
const KEY_STEP = 40;

interface WidthHandleProps {
  readonly most: number;
  /** The width during a drag. */
  readonly dragged: number | undefined;
  readonly onDrag: (width: number | undefined) => void;
}

/** A handle that changes the inspector's width, by dragging or with the arrow keys. */
function WidthHandle({ most, dragged, onDrag }: WidthHandleProps) {
  const { inspector } = usePreferences();
  const within = (width: number) => Math.round(Math.max(Math.min(width, most), MIN_INSPECTOR));
  const width = within(dragged ?? inspector);

  function drag({ currentTarget, pointerId, clientX }: PointerEvent) {
    if (!currentTarget.hasPointerCapture(pointerId)) return;
    const page = currentTarget.parentElement?.getBoundingClientRect();
    if (page) onDrag(page.right - clientX);
  }

  /** Stores the width at the end of a drag, not during it, because storing writes to disk. */
  function drop() {
    if (dragged !== undefined) setPreferences({ inspector: width });
    onDrag(undefined);
  }

  function step(event: KeyboardEvent) {
    const next = {
      ArrowLeft: width + KEY_STEP,
      ArrowRight: width - KEY_STEP,
      Home: MIN_INSPECTOR,
      End: most,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    setPreferences({ inspector: within(next) });
  }

  return (
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the inspector"
      aria-valuenow={width}
      aria-valuemin={MIN_INSPECTOR}
      aria-valuemax={most}
      tabIndex={0}
      className={styles['separator']}
      data-dragged={dragged === undefined ? undefined : ''}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
      onLostPointerCapture={drop}
      onKeyDown={step}
    >
      <i className={styles['grip']} />
    </div>
  );
}

const STEP = 0.1;

function dragHeight({ currentTarget, pointerId, clientY }: PointerEvent) {
  if (!currentTarget.hasPointerCapture(pointerId)) return;
  const page = currentTarget.parentElement?.parentElement?.getBoundingClientRect();
  if (page) setSheetShare((page.bottom - clientY) / page.height);
}

/** A handle that changes the sheet's height, by dragging or with the arrow keys. */
function HeightHandle({ share }: { share: number }) {
  function step(event: KeyboardEvent) {
    const next = { ArrowUp: share + STEP, ArrowDown: share - STEP, Home: MIN_SHEET, End: 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    // If the sheet covers the whole page, the first step down leaves space for rows.
    setSheetShare(share === 1 && event.key === 'ArrowDown' ? FULL_SHEET - STEP : next);
  }

  return (
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
      onPointerMove={dragHeight}
      onKeyDown={step}
    />
  );
}
