import type { ReactNode } from 'react';
import type { Outcome } from '../model/outcome.ts';
import styles from './notice.module.css';

interface NoticeProps {
  readonly outcome: Outcome;
  readonly icon: ReactNode;
  readonly title: ReactNode;
  readonly children?: ReactNode;
  readonly action?: ReactNode;
}

/** Says what is wrong, what still works, and offers one thing to do. */
export function Notice({ outcome, icon, title, children, action }: NoticeProps) {
  return (
    <div className={styles['notice']} data-outcome={outcome} role={outcome === 'failed' ? 'alert' : 'status'}>
      <span className={styles['icon']}>{icon}</span>
      <div className="spacer">
        <p className="strong">{title}</p>
        {children ? <p className="t2">{children}</p> : null}
      </div>
      {action}
    </div>
  );
}

interface EmptyProps {
  readonly icon: ReactNode;
  readonly title: ReactNode;
  readonly children?: ReactNode;
  readonly action?: ReactNode;
}

/** An empty place says why it is empty. */
export function Empty({ icon, title, children, action }: EmptyProps) {
  return (
    <div className={styles['empty']}>
      <span className={styles['emptyIcon']}>{icon}</span>
      <p className="strong">{title}</p>
      {children ? <p className="t2">{children}</p> : null}
      {action ? <div className={styles['action']}>{action}</div> : null}
    </div>
  );
}
