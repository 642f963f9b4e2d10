import { CornerDownLeft } from 'lucide-react';
import { type ReactNode, useEffect, useRef } from 'react';
import { FailurePanel } from '../../payloads/failure/failure-panel.tsx';
import { payloadTitle } from '../../payloads/value/payload-label.ts';
import { PayloadBlock } from '../../payloads/view/payload-block.tsx';
import { Button } from '../../ui/controls/button.tsx';
import { failureAttributes } from '../events/describe-group.ts';
import type { RecordedEvent } from '../events/history.ts';
import { resultName } from '../events/run-ends.ts';
import styles from './run-values-panel.module.css';
import { type RunValue, useEnds } from './run-values.tsx';

interface RunValuesPanelProps {
  /** The value to scroll into view, because on a phone the result is below the input. */
  readonly shown: RunValue | undefined;
  readonly onSelect: (eventId: number) => void;
}

/** The whole input and result of a run, side by side or, on a phone, one below the other. */
export function RunValuesPanel({ shown, onSelect }: RunValuesPanelProps) {
  const { first, last } = useEnds();
  const end = last?.events[0];
  const name = end && resultName(end);
  return (
    <div className={styles['panel']}>
      {first ? (
        <Column title="Input" event={first} isShown={shown === 'input'} onSelect={onSelect}>
          <Payloads event={first} prefix={/^input\b/} none="The run has no input." />
        </Column>
      ) : null}
      {end && name ? (
        <Column title={capitalised(name)} event={end} isShown={shown === 'result'} onSelect={onSelect}>
          <Result event={end} />
        </Column>
      ) : null}
    </div>
  );
}

const capitalised = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

interface ColumnProps {
  readonly title: string;
  readonly event: RecordedEvent;
  readonly isShown: boolean;
  readonly onSelect: (eventId: number) => void;
  readonly children: ReactNode;
}

function Column({ title, event, isShown, onSelect, children }: ColumnProps) {
  const column = useRef<HTMLElement>(null);
  useEffect(() => {
    if (isShown) column.current?.scrollIntoView({ block: 'nearest' });
  }, [isShown]);
  return (
    <section ref={column} className={styles['column']} aria-label={title}>
      <h2 className="sr-only">{title}</h2>
      {children}
      <Button look="ghost" size="small" className={styles['event']} onClick={() => onSelect(event.eventId)}>
        <CornerDownLeft size={12} />
        Show event {event.eventId}
      </Button>
    </section>
  );
}

function Result({ event }: { event: RecordedEvent }) {
  const failure = failureAttributes(event);
  if (failure !== undefined) return <FailurePanel failure={failure} stubs={event.payloads} showCode />;
  return <Payloads event={event} prefix={/^(result|details|input)\b/} none="The run returned no value." />;
}

interface PayloadsProps {
  readonly event: RecordedEvent;
  /** Matches the paths of the payloads to show. */
  readonly prefix: RegExp;
  readonly none: string;
}

function Payloads({ event, prefix, none }: PayloadsProps) {
  const stubs = event.payloads.filter(({ path }) => prefix.test(path));
  if (stubs.length === 0) return <p className={styles['none']}>{none}</p>;
  return stubs.map((stub) => <PayloadBlock key={stub.ref} stub={stub} title={payloadTitle(stub, stubs)} />);
}
