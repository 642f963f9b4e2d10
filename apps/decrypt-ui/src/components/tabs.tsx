import { Tabs as Base } from '@base-ui/react/tabs';
import type { ReactNode } from 'react';
import styles from './tabs.module.css';

interface TabItem<T extends string> {
  readonly value: T;
  readonly text: string;
  readonly count?: number | undefined;
  /** Marks a count of pending work. */
  readonly pending?: boolean;
}

interface TabsProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly items: readonly TabItem<T>[];
  readonly onChange: (value: T) => void;
  /** At the end of the bar of tabs. */
  readonly tools?: ReactNode;
  readonly className?: string | undefined;
  readonly barClassName?: string | undefined;
  readonly children: ReactNode;
}

/** A bar of tabs. The children are their panels: a `TabPanel` for each value. */
export function Tabs<T extends string>(props: TabsProps<T>) {
  const { label, value, items, onChange, tools, className, barClassName, children } = props;
  return (
    <Base.Root
      value={value}
      onValueChange={(next) => {
        const item = items.find((candidate) => candidate.value === next);
        if (item) onChange(item.value);
      }}
      className={className}
    >
      <div className={barClassName}>
        <Base.List className={styles['tabs']} aria-label={label} activateOnFocus>
          {items.map((item) => (
            <Base.Tab key={item.value} value={item.value} className={styles['tab'] ?? ''}>
              {item.text}
              {item.count === undefined ? null : (
                <span className={styles['count']} data-pending={item.pending ? '' : undefined}>
                  {item.count.toLocaleString('en-GB')}
                </span>
              )}
            </Base.Tab>
          ))}
        </Base.List>
        {tools}
      </div>
      {children}
    </Base.Root>
  );
}

interface TabPanelProps {
  readonly value: string;
  readonly className?: string | undefined;
  readonly children: ReactNode;
}

export function TabPanel({ value, className, children }: TabPanelProps) {
  return (
    <Base.Panel value={value} className={className} tabIndex={-1}>
      {children}
    </Base.Panel>
  );
}
