import type { ReactNode } from 'react';
import styles from './state-page.module.css';

interface StatePageProps {
  readonly icon: ReactNode;
  readonly title: ReactNode;
  readonly children?: ReactNode;
  /** Facts that the user can pass on to support. */
  readonly facts?: readonly (readonly [name: string, value: ReactNode])[];
  /** What the user can do now, main action first. */
  readonly actions?: ReactNode;
  /** A remark below the actions. */
  readonly note?: ReactNode;
}

/** A page shown instead of content. The title says what is wrong, the text says why, and the actions say what to do. */
export function StatePage({ icon, title, children, facts = [], actions, note }: StatePageProps) {
  return (
    <div className={styles['page']}>
      <section className={styles['block']} aria-labelledby="state-title">
        <span className={styles['icon']}>{icon}</span>
        <h1 id="state-title" className={styles['title']}>
          {title}
        </h1>
        <div className={styles['text']}>{children}</div>
        {facts.length > 0 ? (
          <dl className={styles['facts']}>
            {facts.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        ) : null}
        {actions ? <div className={styles['actions']}>{actions}</div> : null}
        {note ? <p className={styles['note']}>{note}</p> : null}
      </section>
    </div>
  );
}
