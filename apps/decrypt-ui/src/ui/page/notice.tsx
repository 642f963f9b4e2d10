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

/** A banner. The title says what happened, the text says why and what still works, and the action says what to do. */
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
  /** Whether the title is the page's heading. */
  readonly page?: boolean;
}

/** Fills an area without content. The title says what is missing, the text says why, and the action says what to do. */
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
