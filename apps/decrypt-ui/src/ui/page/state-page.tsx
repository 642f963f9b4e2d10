import type { ReactNode } from 'react';
import styles from './state-page.module.css';

interface StatePageProps {
  readonly icon: ReactNode;
  readonly title: ReactNode;
  readonly children?: ReactNode;
  /** What a reader passes on to those who can help. */
  readonly facts?: readonly (readonly [name: string, value: ReactNode])[];
  /** What the reader can do now; the main action first. */
  readonly actions?: ReactNode;
  /** A remark below the actions. */
  readonly note?: ReactNode;
}

/** A page in place of content: what is the case in the title, why in the text, and what to do in the actions. */
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
