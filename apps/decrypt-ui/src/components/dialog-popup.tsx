import { Dialog as Base } from '@base-ui/react/dialog';
import { clsx } from 'clsx';
import { X } from 'lucide-react';
import { useRef } from 'react';
import { buttonClass } from './button.tsx';
import type { DialogProps } from './dialog.tsx';
import styles from './dialog.module.css';

/** See `Dialog`. */
export function DialogPopup({ title, open, onOpenChange, initialFocus, large, children }: DialogProps) {
  const popup = useRef<HTMLDivElement>(null);
  return (
    <Base.Root open={open} onOpenChange={onOpenChange}>
      <Base.Portal>
        <Base.Backdrop className={styles['scrim']} />
        <Base.Popup
          ref={popup}
          className={clsx(styles['dialog'], large && styles['large'])}
          // By touch, Base UI focuses the dialog itself, so that no keyboard covers it.
          initialFocus={(by) =>
            initialFocus?.current ?? (by === 'touch' ? undefined : firstControl(popup.current)) ?? true
          }
        >
          <div className={styles['head']} data-dialog-head="">
            <Base.Title className={styles['title']}>{title}</Base.Title>
            <Base.Close
              className={buttonClass({ look: 'ghost', size: 'small', icon: true })}
              aria-label="Close"
            >
              <X size={14} />
            </Base.Close>
          </div>
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

const CONTROLS = 'input:not([type="radio"]:not(:checked)), select, textarea, button, a[href], [tabindex="0"]';

/** The first control of a dialog's content. With the focus on Close, Enter would end the dialog. */
function firstControl(popup: HTMLElement | null): HTMLElement | undefined {
  return [...(popup?.querySelectorAll<HTMLElement>(CONTROLS) ?? [])].find(
    (element) => !element.closest('[data-dialog-head]') && !element.matches(':disabled'),
  );
}
