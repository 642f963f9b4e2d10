import { Menu as Base } from '@base-ui/react/menu';
import { clsx } from 'clsx';
import { Check } from 'lucide-react';
import { type ReactNode, type RefObject, useEffect, useRef } from 'react';
import styles from './menu.module.css';

/** How a menu was opened: by the `pointer`, or by a key that moves the focus to the `first` or `last` item. */
export type OpenedBy = 'pointer' | 'first' | 'last';

interface MenuPopupProps {
  /** How the menu was opened; undefined while the menu is closed. */
  readonly opened: OpenedBy | undefined;
  readonly button: RefObject<HTMLButtonElement | null>;
  /** The id of the button. */
  readonly labelledBy: string;
  readonly align: 'start' | 'end';
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/**
 * Returns the element that contains the menu: the parent of the button's dialog, or the button's landmark. If the
 * dialog contained the menu, the dialog would take the focus when the menu closes.
 */
const containerOf = (button: HTMLElement | null) =>
  button?.closest('[role="dialog"]')?.parentElement ?? button?.closest<HTMLElement>('header, main');

/** The contents of a menu, below its button. */
export function MenuPopup({ opened, button, labelledBy, align, onClose, children }: MenuPopupProps) {
  const popup = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (opened !== 'first' && opened !== 'last') return undefined;
    // Base UI focuses the menu in this frame. Base UI does not know that a key opened the menu, so it does not focus an
    // item.
    const frame = requestAnimationFrame(() => {
      const items = popup.current?.querySelectorAll<HTMLElement>(
        '[role^="menuitem"]:not([aria-disabled="true"])',
      );
      Array.from(items ?? [])
        .at(opened === 'first' ? 0 : -1)
        ?.focus();
    });
    return () => cancelAnimationFrame(frame);
  }, [opened]);
  return (
    <Base.Root
      modal={false}
      open={opened !== undefined}
      onOpenChange={(open, details) => {
        const { target } = details.event;
        // After a press on the button, the button's click handler closes the menu.
        if (open || (target instanceof Node && button.current?.contains(target))) details.cancel();
        else onClose();
      }}
    >
      {/* The menu is in its button's landmark, and has a fixed position so that the landmark does not clip it. */}
      <Base.Portal container={containerOf(button.current)} className={styles['portal']}>
        <Base.Positioner
          anchor={button}
          align={align}
          sideOffset={4}
          positionMethod="fixed"
          className={styles['positioner']}
        >
          <Base.Popup
            ref={popup}
            aria-labelledby={labelledBy}
            className={styles['popup']}
            onKeyDown={(event) => {
              // Base UI's hidden elements that catch Tab are disabled, because assistive technology would find them.
              if (event.key !== 'Tab') return;
              event.preventDefault();
              onClose();
            }}
          >
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

export interface ChoiceProps<T extends string> {
  readonly title?: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly text: ReactNode; readonly note?: ReactNode }[];
  readonly onChange: (value: T) => void;
}

export function Choice<T extends string>({ title, value, options, onChange }: ChoiceProps<T>) {
  return (
    <Base.RadioGroup
      value={value}
      onValueChange={(next: unknown) => {
        const option = options.find((candidate) => candidate.value === next);
        if (option) onChange(option.value);
      }}
    >
      {title ? <div className={styles['title']}>{title}</div> : null}
      {options.map((option) => (
        <Base.RadioItem key={option.value} value={option.value} closeOnClick className={styles['item'] ?? ''}>
          <span className={styles['mark']}>
            <Base.RadioItemIndicator>
              <Check size={14} />
            </Base.RadioItemIndicator>
          </span>
          <span className="ellipsis">{option.text}</span>
          {option.note ? <span className={styles['note']}>{option.note}</span> : null}
        </Base.RadioItem>
      ))}
    </Base.RadioGroup>
  );
}

export interface ToggleProps {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly children: ReactNode;
  readonly note?: ReactNode;
}

export function Toggle({ checked, onChange, children, note }: ToggleProps) {
  return (
    <Base.CheckboxItem checked={checked} onCheckedChange={onChange} className={styles['item'] ?? ''}>
      <span className={styles['mark']}>
        <Base.CheckboxItemIndicator>
          <Check size={14} />
        </Base.CheckboxItemIndicator>
      </span>
      <span className="ellipsis">{children}</span>
      {note ? <span className={styles['note']}>{note}</span> : null}
    </Base.CheckboxItem>
  );
}

export interface ActionProps {
  readonly onClick: () => void;
  readonly disabled?: boolean;
  readonly icon?: ReactNode;
  readonly children: ReactNode;
  readonly note?: ReactNode;
}

export function Action({ onClick, disabled = false, icon, children, note }: ActionProps) {
  return (
    <Base.Item disabled={disabled} onClick={onClick} className={clsx(styles['item'], styles['action'])}>
      {icon ? <span className={styles['icon']}>{icon}</span> : null}
      <span className="ellipsis">{children}</span>
      {note ? <span className={styles['note']}>{note}</span> : null}
    </Base.Item>
  );
}

/** The text is a disabled item, because a menu may contain only items, and the arrow keys reach disabled items. */
export const Text = ({ children }: { children: ReactNode }) => (
  <Base.Item disabled className={styles['text'] ?? ''}>
    {children}
  </Base.Item>
);

export const Line = () => <Base.Separator className={styles['line'] ?? ''} />;
