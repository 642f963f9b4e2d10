import { Popover } from '@base-ui/react/popover';
import { type RefObject, useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { fromWallTime, toWallTime, zoneLabel } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import type { Zoom } from './brush.tsx';
import styles from './range-popover.module.css';

interface RangePopoverProps {
  readonly anchor: RefObject<HTMLElement | null>;
  /** The first millisecond of the run. */
  readonly from: number;
  /** The last millisecond of the run; undefined while the run is open. */
  readonly to: number | undefined;
  readonly zoom: Zoom;
  readonly onZoom: (zoom: Zoom) => void;
  readonly onClose: () => void;
}

/** A popover that sets the part of the run that the waterfall shows, by start and end time. */
export function RangePopover({ anchor, from, to: closed, zoom, onZoom, onClose }: RangePopoverProps) {
  const { zone } = useTimeFormat();
  const [to] = useState(() => closed ?? Date.now());
  const [start, setStart] = useState(() => toWallTime(from + (zoom.from ?? 0), zone));
  const [end, setEnd] = useState(() => toWallTime(zoom.to === undefined ? to : from + zoom.to, zone));
  const [problem, setProblem] = useState<string>();

  function apply() {
    const first = fromWallTime(start, zone);
    const last = fromWallTime(end, zone);
    if (first === undefined || last === undefined) setProblem('Enter a date and a time in both fields.');
    else if (first >= last) setProblem('The end must be after the start.');
    else if (first > to || last < from) setProblem('The run has no events in this time.');
    else {
      onZoom({ from: first <= from ? undefined : first - from, to: last >= to ? undefined : last - from });
      onClose();
    }
  }

  return (
    <Popover.Root open onOpenChange={(open) => !open && onClose()}>
      <Popover.Portal>
        <Popover.Positioner anchor={anchor} align="end" sideOffset={4} className={styles['positioner'] ?? ''}>
          <Popover.Popup className={styles['popup'] ?? ''} finalFocus={anchor}>
            <Popover.Title className={styles['title'] ?? ''}>
              Visible time <span className="t2 small">{zoneLabel(zone, from)}</span>
            </Popover.Title>
            <form
              className={styles['form']}
              noValidate
              onSubmit={(event) => {
                event.preventDefault();
                apply();
              }}
            >
              <Field label="From" value={start} onChange={setStart} />
              <Field label="To" value={end} onChange={setEnd} />
              {problem === undefined ? null : (
                <p className={styles['problem']} role="alert">
                  {problem}
                </p>
              )}
              <div className={styles['actions']}>
                <Button
                  look="ghost"
                  onClick={() => {
                    onZoom({ from: undefined, to: undefined });
                    onClose();
                  }}
                >
                  Whole run
                </Button>
                <Button look="primary" type="submit">
                  Show
                </Button>
              </div>
            </form>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

const Field = ({ label, value, onChange }: FieldProps) => (
  <label className={styles['field']}>
    {label}
    <input
      type="datetime-local"
      step="0.001"
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  </label>
);
