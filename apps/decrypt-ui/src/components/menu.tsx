import { Menu as Base } from '@base-ui/react/menu';
import { clsx } from 'clsx';
import { Check, ChevronDown } from 'lucide-react';
import type { ReactNode } from 'react';
import { buttonClass } from './button.tsx';
import styles from './menu.module.css';

interface MenuProps {
  readonly label: string;
  readonly trigger: ReactNode;
  readonly icon?: boolean;
  readonly align?: 'start' | 'end';
  readonly className?: string | undefined;
  readonly children: ReactNode;
}

export function Menu({ label, trigger, icon = false, align = 'start', className, children }: MenuProps) {
  return (
    <Base.Root modal={false}>
      <Base.Trigger
        className={clsx(buttonClass({ look: 'ghost', icon }), className)}
        {...(icon && { 'aria-label': label })}
        data-tip={label}
      >
        {icon ? null : <span className="sr-only">{label}: </span>}
        {trigger}
        {icon ? null : <ChevronDown size={12} aria-hidden="true" />}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner align={align} sideOffset={4} className={styles['positioner']}>
          <Base.Popup className={styles['popup']}>{children}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

interface ChoiceProps<T extends string> {
  readonly title?: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly text: ReactNode; readonly note?: ReactNode }[];
  readonly onChange: (value: T) => void;
}

/** A choice between several values. The chosen value has a check mark. */
export function MenuChoice<T extends string>({ title, value, options, onChange }: ChoiceProps<T>) {
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

interface ToggleProps {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly children: ReactNode;
  readonly note?: ReactNode;
}

export function MenuToggle({ checked, onChange, children, note }: ToggleProps) {
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

interface ActionProps {
  readonly onClick: () => void;
  readonly disabled?: boolean;
  readonly children: ReactNode;
  readonly note?: ReactNode;
}

/** An entry that does something when it is chosen. */
export function MenuAction({ onClick, disabled = false, children, note }: ActionProps) {
  return (
    <Base.Item disabled={disabled} onClick={onClick} className={clsx(styles['item'], styles['action'])}>
      <span className="ellipsis">{children}</span>
      {note ? <span className={styles['note']}>{note}</span> : null}
    </Base.Item>
  );
}

/** A line between two groups of a menu. */
export const MenuLine = () => <Base.Separator className={styles['line'] ?? ''} />;
