import { type KeyboardEvent, type PointerEvent, useRef } from 'react';
import { formatOffset } from '../../ui/format/duration.ts';
import styles from './brush.module.css';
import type { TimeScale } from './time-scale.ts';

/** The visible part of a run, in milliseconds from its start. `undefined` means the run's start or end. */
export interface Zoom {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** The minimum width of the visible part, as a share of the strip. */
const MIN_SHARE = 0.02;

interface BrushProps {
  readonly scale: TimeScale;
  readonly pad: number;
  readonly zoom: Zoom;
  readonly onZoom: (zoom: Zoom) => void;
}

type Drag =
  | { readonly edge: 'from' | 'to' }
  | { readonly anchor: number }
  | { readonly pan: number; readonly left: number; readonly right: number };

/**
 * Selects the part of the run that the waterfall shows. Handles move the part's ends, dragging selects or moves
 * a part, and a double click selects the whole run.
 */
export function Brush({ scale, pad, zoom, onZoom }: BrushProps) {
  const surface = useRef<HTMLDivElement>(null);
  const drag = useRef<Drag>(undefined);
  const left = zoom.from === undefined ? 0 : scale.x(scale.from + zoom.from);
  const right = zoom.to === undefined ? scale.width : scale.x(scale.from + zoom.to);
  const zoomed = zoom.from !== undefined || zoom.to !== undefined;
  const least = scale.width * MIN_SHARE;

  function set(nextLeft: number, nextRight: number) {
    const from = nextLeft <= 1 ? undefined : Math.round(scale.time(nextLeft) - scale.from);
    const to = nextRight >= scale.width - 1 ? undefined : Math.round(scale.time(nextRight) - scale.from);
    onZoom({ from, to });
  }

  function position(event: PointerEvent): number {
    const box = surface.current?.getBoundingClientRect();
    return Math.min(Math.max(event.clientX - (box?.left ?? 0) - pad, 0), scale.width);
  }

  function down(event: PointerEvent, edge?: 'from' | 'to') {
    if (event.button !== 0) return;
    event.stopPropagation();
    surface.current?.setPointerCapture(event.pointerId);
    const x = position(event);
    if (edge) drag.current = { edge };
    else if (zoomed && x > left && x < right) drag.current = { pan: x, left, right };
    else drag.current = { anchor: x };
  }

  function move(event: PointerEvent) {
    const { current } = drag;
    if (!current) return;
    const x = position(event);
    if ('edge' in current) {
      if (current.edge === 'from') set(Math.min(x, right - least), right);
      else set(left, Math.max(x, left + least));
    } else if ('pan' in current) {
      const by = Math.min(Math.max(x - current.pan, -current.left), scale.width - current.right);
      set(current.left + by, current.right + by);
    } else if (Math.abs(x - current.anchor) >= least) {
      set(Math.min(x, current.anchor), Math.max(x, current.anchor));
    }
  }

  function key(event: KeyboardEvent, edge: 'from' | 'to') {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    const far = { Home: 0, End: scale.width }[event.key];
    if (step === undefined && far === undefined) return;
    event.preventDefault();
    const at = edge === 'from' ? left : right;
    const x = far ?? at + (step ?? 0) * Math.max(least, 4);
    if (edge === 'from') set(Math.min(Math.max(x, 0), right - least), right);
    else set(left, Math.max(Math.min(x, scale.width), left + least));
  }

  const handle = (edge: 'from' | 'to', x: number, offset: number) => (
    <span
      className={styles['handle']}
      role="slider"
      tabIndex={0}
      aria-label={edge === 'from' ? 'Start of the waterfall' : 'End of the waterfall'}
      aria-valuemin={0}
      aria-valuemax={Math.round(scale.to - scale.from)}
      aria-valuenow={Math.round(offset)}
      aria-valuetext={formatOffset(offset)}
      style={{ left: pad + x }}
      onPointerDown={(event) => down(event, edge)}
      onKeyDown={(event) => key(event, edge)}
    />
  );

  return (
    <div
      ref={surface}
      className={styles['surface']}
      role="presentation"
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={() => {
        drag.current = undefined;
      }}
      onPointerCancel={() => {
        drag.current = undefined;
      }}
      onDoubleClick={() => onZoom({ from: undefined, to: undefined })}
    >
      <i
        className={styles['dim']}
        style={{ left: 0, width: pad + left }}
        data-on={left > 0 ? '' : undefined}
      />
      <i
        className={styles['dim']}
        style={{ left: pad + right, right: 0 }}
        data-on={right < scale.width ? '' : undefined}
      />
      <i
        className={styles['frame']}
        style={{ left: pad + left, width: Math.max(right - left, 0) }}
        data-zoomed={zoomed ? '' : undefined}
      />
      {handle('from', left, zoom.from ?? 0)}
      {handle('to', right, zoom.to ?? scale.to - scale.from)}
    </div>
  );
}
