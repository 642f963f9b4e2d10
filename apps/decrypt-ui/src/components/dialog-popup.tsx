import { Dialog as Base } from '@base-ui/react/dialog';
import { clsx } from 'clsx';
import { X } from 'lucide-react';
import { buttonClass } from './button.tsx';
import type { DialogProps } from './dialog.tsx';
import styles from './dialog.module.css';

/** See `Dialog`. */
export function DialogPopup({ title, open, onOpenChange, initialFocus, large, children }: DialogProps) {
  return (
    <Base.Root open={open} onOpenChange={onOpenChange}>
      <Base.Portal>
        <Base.Backdrop className={styles['scrim']} />
        <Base.Popup
          className={clsx(styles['dialog'], large && styles['large'])}
          {...(initialFocus && { initialFocus })}
        >
          <div className={styles['head']}>
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
