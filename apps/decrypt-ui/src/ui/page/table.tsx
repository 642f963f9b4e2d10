import { clsx } from 'clsx';
import type { ComponentProps, ReactNode } from 'react';
import styles from './table.module.css';

interface TableProps extends ComponentProps<'table'> {
  /** The id of the heading that names the table. */
  readonly headingId: string;
  /** The column heads. A pair consists of a head and the head's class. */
  readonly columns: readonly (string | readonly [head: ReactNode, className: string | undefined])[];
  /** The rows. */
  readonly children: ReactNode;
}

/** A table that scrolls sideways, with a fading edge, if its columns do not fit. */
export function Table({ headingId, columns, children, ...table }: TableProps) {
  return (
    <div className={clsx(styles['scroll'], 'fades')} role="group" aria-labelledby={headingId} tabIndex={0}>
      <table aria-labelledby={headingId} {...table}>
        <thead>
          <tr>
            {columns.map((column, index) => {
              const [head, className] = typeof column === 'string' ? [column] : column;
              return (
                <th key={index} scope="col" className={className}>
                  {head}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
