import { type HelpLine, helpLines } from '../ui/commands/commands.ts';
import { Dialog } from '../ui/overlays/dialog.tsx';
import { Kbd } from '../ui/text/kbd.tsx';
import styles from './shortcuts-dialog.module.css';

/** Maximum number of keys that a line shows in full. If a line has more keys, it shows only the first and the last. */
const MAX_KEYS = 4;

export function ShortcutsDialog({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" open onOpenChange={(open) => !open && onClose()}>
      <div className={styles['columns']}>
        {[...helpLines()].map(([section, lines]) => (
          <section key={section}>
            <h3 className={styles['title']}>{section}</h3>
            <dl className={styles['list']}>
              {lines.map((line) => (
                <div key={line.text}>
                  <dt>
                    <Keys keys={line.keys} />
                  </dt>
                  <dd className="t2">{line.text}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

function Keys({ keys }: Pick<HelpLine, 'keys'>) {
  const [first = ''] = keys;
  if (keys.length > MAX_KEYS) {
    return (
      <>
        <Kbd>{first}</Kbd>
        <span className="t3">…</span>
        <Kbd>{keys.at(-1) ?? ''}</Kbd>
      </>
    );
  }
  return keys.map((key) => <Kbd key={key}>{key}</Kbd>);
}
