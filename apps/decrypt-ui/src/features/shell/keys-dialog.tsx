import { Dialog } from '../../components/dialog.tsx';
import { Kbd } from '../../components/kbd.tsx';
import styles from './keys-dialog.module.css';

const sections = [
  {
    title: 'Lists',
    keys: [
      [['J', '↓'], 'next row'],
      [['K', '↑'], 'previous row'],
      [['Home', 'End'], 'first, last row'],
      [['Enter'], 'open'],
      [['/'], 'find or filter'],
      [['C'], 'copy id, or link to event'],
    ],
  },
  {
    title: 'History',
    keys: [
      [['→', '←'], 'expand, collapse'],
      [['[', ']'], 'collapse, expand all'],
      [['N', 'Shift N'], 'next, previous match'],
      [['E', 'Shift E'], 'next, previous failed'],
      [['P', 'Shift P'], 'next, previous pending'],
      [['I'], 'inspector'],
      [['1', '…', '5'], 'its tabs'],
      [['G'], 'groups or all events'],
      [['Z'], 'idle gaps'],
      [['F'], 'follow new events'],
      [['0'], 'whole run'],
      [['Esc'], 'close, or back to the row'],
    ],
  },
] as const;

export function KeysDialog(props: { open: boolean; onOpenChange: (open: boolean) => void }) {
  return (
    <Dialog title="Keyboard" {...props}>
      <div className={styles['columns']}>
        {sections.map((section) => (
          <section key={section.title}>
            <h3 className={styles['title']}>{section.title}</h3>
            <dl className={styles['list']}>
              {section.keys.map(([keys, text]) => (
                <div key={text}>
                  <dt>{keys.map((key) => (key === '…' ? '…' : <Kbd key={key}>{key}</Kbd>))}</dt>
                  <dd className="t2">{text}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
