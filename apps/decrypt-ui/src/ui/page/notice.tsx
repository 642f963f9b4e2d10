import type { ReactNode } from 'react';
import styles from './notice.module.css';

const outcomes = { error: 'failed', warning: 'timed-out' } as const;

interface NoticeProps {
  readonly severity: keyof typeof outcomes;
  readonly icon: ReactNode;
  readonly title: ReactNode;
  readonly children?: ReactNode;
  readonly action?: ReactNode;
}

/** A banner: what happened in the title, why and what still works in the text, and what to do in the action. */
export function Notice({ severity, icon, title, children, action }: NoticeProps) {
  return (
    <div
      className={styles['notice']}
      data-outcome={outcomes[severity]}
      role={severity === 'error' ? 'alert' : 'status'}
    >
      <span className={styles['icon']}>{icon}</span>
      <div className="spacer">
        <p className="strong">{title}</p>
        {children ? <p className="t2">{children}</p> : null}
      </div>
      {action}
    </div>
  );
}

interface EmptyStateProps {
  readonly icon: ReactNode;
  readonly title: ReactNode;
  readonly children?: ReactNode;
  readonly action?: ReactNode;
  /** The title is the heading of the page. */
  readonly page?: boolean;
}

/** Fills an area without content: what is missing in the title, why in the text, and what to do in the action. */
export function EmptyState({ icon, title, children, action, page = false }: EmptyStateProps) {
  return (
    <div className={styles['empty']}>
      <span className={styles['emptyIcon']}>{icon}</span>
      {page ? <h1 className={styles['heading']}>{title}</h1> : <p className="strong">{title}</p>}
      {children ? <p className="t2">{children}</p> : null}
      {action ? <div className={styles['action']}>{action}</div> : null}
    </div>
  );
}
