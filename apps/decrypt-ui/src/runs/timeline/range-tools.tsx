import { Hourglass, Undo2 } from 'lucide-react';
import { lazy, Suspense, useRef, useState } from 'react';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button } from '../../ui/controls/button.tsx';
import { DialogLoading } from '../../ui/overlays/dialog.tsx';
import type { Zoom } from './brush.tsx';

/** Loaded when first opened. */
const RangePopover = lazy(async () => ({ default: (await import('./range-popover.tsx')).RangePopover }));

interface RangeToolsProps {
  /** The first millisecond of the run. */
  readonly from: number;
  /** The last millisecond of the run; undefined while the run is open. */
  readonly to: number | undefined;
  readonly zoom: Zoom;
  readonly onZoom: (zoom: Zoom) => void;
}

/**
 * Buttons for the part of the run that the waterfall shows: one sets the part by time, and one shows the whole
 * run again.
 */
export function RangeTools({ from, to, zoom, onZoom }: RangeToolsProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const zoomed = zoom.from !== undefined || zoom.to !== undefined;
  useCommands({ 'view.range': () => setOpen(true) });
  return (
    <>
      {zoomed ? (
        <Button
          look="ghost"
          icon
          aria-label="Show the whole run"
          {...tip('view.whole')}
          onClick={() => onZoom({ from: undefined, to: undefined })}
        >
          <Undo2 size={14} />
        </Button>
      ) : null}
      <Button
        ref={button}
        look="ghost"
        icon
        aria-label="Visible time"
        aria-haspopup="dialog"
        aria-expanded={open}
        data-popup-open={zoomed || open ? '' : undefined}
        {...tip('view.range', 'Visible time')}
        onClick={() => setOpen(!open)}
      >
        <Hourglass size={14} />
      </Button>
      {open ? (
        <Suspense fallback={<DialogLoading />}>
          <RangePopover
            anchor={button}
            from={from}
            to={to}
            zoom={zoom}
            onZoom={onZoom}
            onClose={() => setOpen(false)}
          />
        </Suspense>
      ) : null}
    </>
  );
}
