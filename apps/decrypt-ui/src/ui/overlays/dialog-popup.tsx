import { Dialog as Base } from '@base-ui/react/dialog';
import { clsx } from 'clsx';
import { X } from 'lucide-react';
import { type ReactNode, type RefObject, useRef } from 'react';
import { buttonClass } from '../controls/button.tsx';
import styles from './dialog.module.css';

export interface DialogProps {
  readonly title: string;
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  /**
   * The element that gets the focus when the dialog opens; by default, the first control in the dialog's content, or
   * else the close button.
   */
  readonly initialFocus?: RefObject<HTMLElement | null>;
  /** Whether the dialog is as large as the window permits. */
  readonly large?: boolean;
  readonly children: ReactNode;
}

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
          // If a dialog is opened by touch, Base UI focuses the dialog itself, so that no on-screen keyboard covers it.
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

/**
 * Returns the first control in a dialog's content. Excludes the Close button: if it had the focus, Enter would close
 * the dialog.
 */
function firstControl(popup: HTMLElement | null): HTMLElement | undefined {
  return [...(popup?.querySelectorAll<HTMLElement>(CONTROLS) ?? [])].find(
    (element) => !element.closest('[data-dialog-head]') && !element.matches(':disabled'),
  );
}
