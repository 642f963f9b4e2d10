import { clsx } from 'clsx';
import { ChevronDown } from 'lucide-react';
import { type KeyboardEvent, type MouseEvent, type ReactNode, useId, useRef, useState } from 'react';
import { type ButtonLook, buttonClass } from '../controls/button.tsx';
import { lazyModule, useModule } from '../lazy-module.ts';
import { requiredContext } from '../required-context.ts';
import type { ActionProps, ChoiceProps, OpenedBy, ToggleProps } from './menu-popup.tsx';

/** Loaded on demand: Base UI's menu is a fifth of the page's code, and few visits open a menu. */
const popup = lazyModule(() => import('./menu-popup.tsx'));

/**
 * The module with the components of a menu's contents. A menu provides this module to its children once the module has
 * loaded.
 */
type Parts = typeof import('./menu-popup.tsx');

const [PartsContext, useParts] = requiredContext<Parts>('Menu');

interface MenuProps {
  readonly label: string;
  readonly trigger: ReactNode;
  readonly icon?: boolean;
  readonly size?: ButtonLook['size'];
  readonly align?: 'start' | 'end';
  readonly className?: string | undefined;
  readonly children: ReactNode;
}

/** A button that opens a menu. */
export function Menu({
  label,
  trigger,
  icon = false,
  size = 'normal',
  align = 'start',
  className,
  children,
}: MenuProps) {
  const [opened, setOpened] = useState<OpenedBy>();
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const parts = useModule(popup, opened !== undefined);
  /** Whether the button's only content is its label. */
  const named = trigger === label;
  const preload = () => void popup.load().catch(() => undefined);

  function toggle(event: MouseEvent<HTMLButtonElement>) {
    // Safari does not focus a clicked button, but the menu returns the focus to the button when it closes.
    event.currentTarget.focus();
    setOpened(opened ? undefined : event.detail === 0 ? 'first' : 'pointer');
  }

  function openByKey(event: KeyboardEvent) {
    const item = { ArrowDown: 'first', ArrowUp: 'last' }[event.key];
    if (item !== 'first' && item !== 'last') return;
    event.preventDefault();
    setOpened(item);
  }

  return (
    <>
      <button
        ref={button}
        id={id}
        type="button"
        className={clsx(buttonClass({ look: 'ghost', icon, size }), className)}
        {...(icon && { 'aria-label': label })}
        aria-haspopup="menu"
        aria-expanded={opened !== undefined}
        data-popup-open={opened && ''}
        data-tip={named ? undefined : label}
        onPointerEnter={preload}
        onFocus={preload}
        onClick={toggle}
        onKeyDown={openByKey}
      >
        {icon || named ? null : <span className="sr-only">{label}: </span>}
        {trigger}
        {icon ? null : <ChevronDown size={12} aria-hidden="true" />}
      </button>
      {parts ? (
        <PartsContext value={parts}>
          <parts.MenuPopup
            opened={opened}
            button={button}
            labelledBy={id}
            align={align}
            onClose={() => setOpened(undefined)}
          >
            {children}
          </parts.MenuPopup>
        </PartsContext>
      ) : null}
    </>
  );
}

/** Menu items that choose one of several values. The chosen value has a check mark. */
export function MenuChoice<T extends string>(props: ChoiceProps<T>) {
  const { Choice } = useParts();
  return <Choice {...props} />;
}

export function MenuToggle(props: ToggleProps) {
  const { Toggle } = useParts();
  return <Toggle {...props} />;
}

/** A menu item that runs an action. */
export function MenuAction(props: ActionProps) {
  const { Action } = useParts();
  return <Action {...props} />;
}

/** A menu item with text and no action. */
export function MenuText({ children }: { children: ReactNode }) {
  const { Text } = useParts();
  return <Text>{children}</Text>;
}

/** A line between two groups of menu items. */
export function MenuLine() {
  const { Line } = useParts();
  return <Line />;
}
